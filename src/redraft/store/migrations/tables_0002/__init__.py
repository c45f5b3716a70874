"""The tables that revision 0002 makes, by topic. Never changed; a later revision has its own."""
