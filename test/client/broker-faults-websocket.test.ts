// What a broker may not send, once more over WebSocket.

import { overWebSocket } from '../support/transport.js'

overWebSocket()
await import('./broker-faults.test.js')
