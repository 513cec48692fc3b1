#!/bin/sh
# The source of a file in files.yaml.
echo "hello from $(hostname)"
