"""Where experience lies."""
