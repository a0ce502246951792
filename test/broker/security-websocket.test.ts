// Every row of the security tests, access rules, denials, wills, retained messages, slow readers, take-over, logins, reloads, large
// payloads and limits once more, over WebSocket.

import { overWebSocket } from '../support/transport.js'

overWebSocket()
await import('./security.test.js')
await import('./security-limits.test.js')
await import('./access.test.js')
await import('./wills.test.js')
await import('./takeover.test.js')
await import('./rules-malformed.test.js')
await import('./denials.test.js')
await import('./subscribing.test.js')
await import('./retain.test.js')
await import('./slow-reader.test.js')
await import('./reload.test.js')
await import('./login.test.js')
await import('./limit-edges.test.js')
await import('./large-payloads.test.js')
