// Reads the greeting of the server on a connection of its own, before the user has chosen a name: a connection that stays without a name
// would be closed.

import { parse } from './protocol.js';

/** Calls `read(hello)` with the greeting; never, if the server does not send one. */
export function readGreeting(address, read) {
  const socket = new WebSocket(address);
  socket.onmessage = ({ data }) => {
    socket.onmessage = null;
    socket.close();
    const line = parse(data.split('\n', 1)[0]);
    if (line?.kind === 'hello') read(line);
  };
}
