"""The two ways of starting a kernel, as Jupyter wants them, both with a memory limit where Linux offers one."""

import asyncio
import os
import sys
import time

from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from sinklab.runs import starting
from sinklab.runs.starting import MEMORY, SOCKET, ForkedProcess, alive

#: Sockets of parents that ended or must not fork.
_given_up: set[str] = set()


class Ordinary(LocalProvisioner):
    """A new process for each kernel."""

    async def launch_kernel(self, cmd, **kwargs):
        """Start the kernel and limit its memory."""
        information = await super().launch_kernel(cmd, **kwargs)
        limit_memory(self.pid)
        return information

    async def kill(self, restart=False):
        """Kill the kernel, and see its end before the manager begins to look every tenth of a second."""
        await super().kill(restart)
        until = time.monotonic() + 1
        while self.process and await self.poll() is None and time.monotonic() < until:
            await asyncio.sleep(0.005)


class Forked(Ordinary):
    """A fork of the preloaded parent; a new process where there is none, or it does not answer."""

    async def launch_kernel(self, cmd, **kwargs):
        """Have the kernel forked and limit its memory."""
        path = os.environ.get(SOCKET)
        if path and await _ready(path):
            arguments = cmd[cmd.index("-f") :]
            environment = {name: value for name, value in kwargs["env"].items() if name != SOCKET}
            try:
                self.process = ForkedProcess(path, arguments, environment, kwargs.get("cwd") or os.getcwd())
            except (OSError, ValueError):
                return await super().launch_kernel(cmd, **kwargs)
            # A forked kernel leads a session of its own, like an ordinary one.
            self.pid = self.pgid = self.process.pid
            self.cwd = kwargs.get("cwd")
            limit_memory(self.pid)
            return self.connection_info
        return await super().launch_kernel(cmd, **kwargs)


async def _ready(path: str) -> bool:
    """Wait for the parent to have imported and compiled what an ordinary kernel would have to do as well."""
    while not os.path.exists(path):
        if path in _given_up or not alive(path):
            _given_up.add(path)
            return False
        if time.monotonic() > starting.deadline:
            return False
        await asyncio.sleep(0.02)
    return True


def limit_memory(process: int) -> None:
    """Limit the memory that a process may write to, as ``SINKLAB_MEMORY`` says; Linux only."""
    limit = os.environ.get(MEMORY)
    if limit and sys.platform == "linux":
        import resource

        # Address space would count what libraries map and never touch; data is what they write.
        resource.prlimit(process, resource.RLIMIT_DATA, (int(limit), int(limit)))
