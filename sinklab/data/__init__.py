"""Any field file, study, open data set or printed value becomes an understood frame, and what is wrong with it is told."""
