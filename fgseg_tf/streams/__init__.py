"""Frames of cameras as they come: from video files, webcams and streams of a network, by PyAV.

PyAV brings FFmpeg's libraries in its wheel, so nothing has to be installed beside it, and hands out timestamps, the
rotation of telephones and every protocol of cameras; OpenCV's VideoCapture hides the first two and its timeouts.
"""
