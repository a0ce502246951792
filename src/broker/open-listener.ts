// A listener while the broker runs. Its settings are replaced by a reload, so that whoever keeps the listener - connections,
// sessions, publishers of retained messages - asks by those in force.

import type { Listener } from '../net/listener.js'
import type { ListenerConfig } from '../options/config.js'
import type { ListenerInfo } from './plugins/plugin-facts.js'

export class OpenListener {
  config: ListenerConfig
  /** What it is called in what outlives the broker: its port and address, or its path. */
  readonly origin: string
  /** What is listened on where the settings leave it open; 0 for a Unix socket. */
  port: number
  /** Undefined where the machine lacks the address family, in local-only mode. */
  sockets: Listener | undefined = undefined
  /** Open connections that came in here. */
  connections = 0
  private told: ListenerInfo | undefined = undefined

  constructor(config: ListenerConfig) {
    this.config = config
    const { path, port, bind_address: host } = config
    this.port = port
    this.origin = path ?? (host === undefined ? `${port}` : `${port} ${host}`)
  }

  /** What plugins are told of it; always the same object. */
  get info(): ListenerInfo {
    this.told ??= toldOf(this)
    return this.told
  }
}

/** Follows the settings. */
function toldOf(open: OpenListener): ListenerInfo {
  return {
    port: open.port,
    path: open.config.path,
    get hasPasswordFile() {
      return open.config.password_file !== undefined
    },
    get hasAclFile() {
      return open.config.acl_file !== undefined
    },
  }
}
