"""Threads and queues: what one thread puts into a queue another takes out of it."""

from __future__ import annotations

from dataguard.preprocessing.static.arrays import pictures
from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.values import Bound, ExtObj, Func, Seq, Value

THREADS = ("threading.Thread", "multiprocessing.Process", "torch.multiprocessing.Process", "multiprocessing.context.")
QUEUES = ("queue.", "Queue.", "multiprocessing.Queue", "multiprocessing.queues.", "torch.multiprocessing.Queue",
          "six.moves.queue.", "collections.deque")  # fmt: skip


@function("queue.Queue", "queue.LifoQueue", "queue.SimpleQueue", "Queue.Queue", "multiprocessing.Queue",
          "torch.multiprocessing.Queue", "six.moves.queue.Queue", "threading.Thread", "multiprocessing.Process",
          "torch.multiprocessing.Process")  # fmt: skip
def _made(call: Call) -> Value:
    return ExtObj(call.name, call.args, call.kwargs, call.place)


def started(call: Call) -> Value:
    """A thread begins: its function is followed, once for all threads that are made for it in one place."""
    thread, machine = call.thing, call.machine
    target = thread.kwargs.get("target", thread.args[1] if len(thread.args) > 1 else None)
    held = id(target.receiver) if isinstance(target, Bound) else 0
    func = target.func if isinstance(target, Bound) else target
    mark = f"*thread:{machine.root}:{thread.place}:{held}:{id(getattr(func, 'node', None))}"
    if isinstance(target, Func | Bound) and mark not in machine.shared:
        machine.shared[mark] = True
        given = thread.kwargs.get("args")
        machine.call(target, list(given.items) if isinstance(given, Seq) else [], {}, call.node)
    return thread


def put(call: Call) -> Value:
    """Something is put into a queue; pictures are remembered rather than what tells of the end."""
    held = call.thing.attrs.get("batch")
    value = call.get(0, "item", call.kwargs.get("obj"))
    if held is None or pictures(value):
        call.machine.put(call.thing.attrs, "batch", value)
    return None
