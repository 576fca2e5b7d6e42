"""What an agent does over and over: ask for orders, say that it is there, send reports, feed the watchdog. One file each."""
