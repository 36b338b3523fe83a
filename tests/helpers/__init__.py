"""What several test files share. Test files import from here and never from one another."""
