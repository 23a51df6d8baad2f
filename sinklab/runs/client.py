"""The client of a kernel, with the waits of an interactive session left out."""

from queue import Empty

import zmq
from jupyter_client.asynchronous import AsyncKernelClient

#: Milliseconds until a connection is tried again; a kernel opens its ports a moment after it has been started.
AGAIN = 10


class Client(AsyncKernelClient):
    """Connects as soon as the kernel listens, and is ready as soon as the kernel says that it is idle."""

    def _create_connected_socket(self, *arguments, **named):
        self.context.setsockopt(zmq.RECONNECT_IVL, AGAIN)
        return super()._create_connected_socket(*arguments, **named)

    async def wait_for_ready(self, timeout=None):
        """Wait for the answer of the kernel and for the end of its messages, and not a while longer."""
        channel, idle = self.iopub_channel, False
        get = channel.get_msg

        async def get_unless_idle(**named):
            nonlocal idle
            if idle:
                raise Empty
            message = await get(**named)
            of = message["parent_header"].get("msg_type")
            idle = of == "kernel_info_request" and message["content"].get("execution_state") == "idle"
            return message

        channel.get_msg = get_unless_idle
        try:
            await super().wait_for_ready(timeout)
        finally:
            del channel.get_msg
