mesg n || true
