"""The listener's TLS: certificates from files or a local CA, and the contexts that use them."""
