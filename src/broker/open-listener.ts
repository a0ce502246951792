// A listener while the broker runs. Its settings are replaced by a reload, so that whoever keeps the listener - connections,
// sessions, publishers of retained messages - asks by those in force.

import type { Listener } from '../net/listener.js'
import type { ListenerConfig } from '../options/config.js'

export class OpenListener {
  config: ListenerConfig
  /** Undefined where the machine lacks the address family, in local-only mode. */
  sockets: Listener | undefined = undefined
  /** Open connections that came in here. */
  connections = 0

  constructor(config: ListenerConfig) {
    this.config = config
  }
}
