"""What an operator and a browser see: the quota endpoint and the page."""
