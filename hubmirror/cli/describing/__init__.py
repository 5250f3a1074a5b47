"""What the command's verbs and settings are, told to shells and to readers of manual pages."""
