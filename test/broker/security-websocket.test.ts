// Every row of the security tests, access rules, wills and take-over once more, over WebSocket.

import { overWebSocket } from '../support/transport.js'

overWebSocket()
await import('./security.test.js')
await import('./security-limits.test.js')
await import('./access.test.js')
await import('./wills.test.js')
await import('./takeover.test.js')
await import('./rules-malformed.test.js')
