"""Token requests on their way to the upstream's token server."""
