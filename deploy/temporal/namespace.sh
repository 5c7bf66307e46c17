#!/bin/sh
# The namespace, and how long it keeps the histories of what has ended. Where the server is not ready yet it fails, and is run again.
# TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE are read by the temporal command itself.
set -eu
temporal operator cluster health
if temporal operator namespace describe >/dev/null 2>&1; then
  temporal operator namespace update --retention "$TEMPORAL_RETENTION"
else
  temporal operator namespace create --retention "$TEMPORAL_RETENTION"
fi
# A new namespace is unknown to the frontend for some seconds.
until temporal workflow list --limit 1 >/dev/null 2>&1; do sleep 1; done
