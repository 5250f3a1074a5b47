"""HTTP in, HTTP out: requests become Questions, Answers become responses."""
