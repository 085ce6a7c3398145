"""An RTSP camera on loopback, by GStreamer of the system's own Python: a test picture at 10 frames a second.

/usr/bin/python3 rtsp_server.py PORT    prints "ready", and serves rtsp://127.0.0.1:PORT/live until it is killed
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

Gst.init(None)
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(
    "( videotestsrc is-live=true ! video/x-raw,format=I420,width=96,height=64,framerate=10/1 ! jpegenc "
    "! rtpjpegpay name=pay0 )"
)
server = GstRtspServer.RTSPServer(address="127.0.0.1", service=sys.argv[1])
server.get_mount_points().add_factory("/live", factory)
server.attach(None)
print("ready", flush=True)
GLib.MainLoop().run()
