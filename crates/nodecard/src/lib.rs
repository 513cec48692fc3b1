//! Prepares, writes, verifies and fixes the SD cards of a cluster of small boards.
