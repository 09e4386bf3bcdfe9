"""Faces in photographs: found, aligned by their landmarks, cut out."""
