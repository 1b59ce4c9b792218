"""From a queue's events to each owner's screen.

```
queue's event stream ──▶ relay ──▶ feed of each owner ──▶ gateway (Socket.IO) ──▶ browsers
                        (lease,      (a stream, bounded  └▶ sse (over HTTP)
                         position)    and expiring)
```

The relay knows no sockets and the two faces of the feed know no queues: what lies between them
is the feed, so either side can be restarted, repeated or replaced without the other noticing.
An entry's id in the feed is what a client resumes from.
"""
