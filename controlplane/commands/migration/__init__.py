"""From Amazon Elastic Transcoder to here: what was saved of it, told apart from how it got here."""
