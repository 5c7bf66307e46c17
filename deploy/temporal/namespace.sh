#!/bin/sh
# The namespace, and how long it keeps the histories of what has ended. Where the server is not ready yet it fails, and is run again.
# TEMPORAL_ADDRESS is read by the temporal command itself; the namespace is said, since `create` reads no variable.
set -eu
temporal operator cluster health
if temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1; then
  temporal operator namespace update --namespace "$TEMPORAL_NAMESPACE" --retention "$TEMPORAL_RETENTION"
else
  temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$TEMPORAL_RETENTION"
fi
# A new namespace is unknown to the frontend for some seconds.
tries=60
until temporal workflow list --namespace "$TEMPORAL_NAMESPACE" --limit 1 >/dev/null 2>&1; do
  tries=$((tries - 1))
  [ "$tries" -gt 0 ] || { echo "the namespace $TEMPORAL_NAMESPACE cannot be used" >&2; exit 1; }
  sleep 1
done
