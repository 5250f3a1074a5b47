"""What the documentation's site is made with: see ``mkdocs.yml``."""
