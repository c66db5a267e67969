"""Going on after a crash: where a run stands, a folder that keeps it, and the callback that does both."""
