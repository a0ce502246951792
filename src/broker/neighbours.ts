// The brokers at the other end of bridges, those of this broker and those that come in as clients: which connections lead to one and
// the same. What came from a broker by one of them is not sent back by another, as No Local sees to for a single one; so two brokers
// with a bridge each to the other do not send messages round in circles. Brokers tell each other a random name: in MQTT 5.0 in a
// user property of CONNECT and CONNACK, in 3.x, which has none, by a subscription (clients/introduction).

import { randomBytes } from 'node:crypto'
import type { Connect } from '../protocol/packets/connect.js'
import type { Properties } from '../protocol/properties.js'
import type { PluginState } from './plugins/broker-handle.js'
import { MOST_KEY_BYTES } from './plugins/plugin-state.js'

const PROPERTY = 'tsmq-broker'
/** In the state that is kept: the name of this broker. Client ids stand behind a dot. */
const OWN_KEY = 'name'
/** Bridges whose brokers are remembered: far more than there are, and nothing that strangers can fill memory with. */
const MOST_NAMES = 1000
const NAME = /^[0-9a-f]{32}$/

/** A CONNECT, as far as it tells a bridge. */
type Arrival = Pick<Connect, 'protocolVersion' | 'bridge' | 'properties'>

export class Neighbours {
  /** Of this broker; without a store another one each time it starts. */
  name = randomBytes(16).toString('hex')
  /** Called when a bridge of another broker has come in. */
  onGuest: () => void = () => {}
  /** By client id of a bridge: the broker it leads to. Also of those that are away: what they have sent may be retained. */
  private readonly names = new Map<string, string>()
  /** Client ids of bridges that have come in. */
  private readonly guests = new Set<string>()
  private state: PluginState | undefined = undefined
  private readonly isThere: (clientId: string) => boolean

  /** @param isThere whether a client has a session */
  constructor(isThere: (clientId: string) => boolean) {
    this.isThere = isThere
  }

  /** Takes back what was known when the broker ended, and keeps that up to date. */
  keepIn(state: PluginState): void {
    this.state = state
    this.name = state.get(OWN_KEY)?.toString() ?? this.name
    for (const key of state.keys()) if (key !== OWN_KEY) this.introduced(key.slice(1), state.get(key)?.toString())
    for (const clientId of this.names.keys()) this.guests.add(clientId)
  }

  /** Whether bridges have come in: otherwise nothing can go round in a circle of two. */
  get hasGuests(): boolean {
    return this.guests.size > 0
  }

  /** Whether a client is the bridge of another broker. */
  isGuest(clientId: string): boolean {
    return this.guests.has(clientId)
  }

  /** A client has been let in. A bridge of 3.x that has told its name before goes on with it until it tells another. */
  arrived(clientId: string, { protocolVersion, bridge, properties }: Arrival): void {
    const name = protocolVersion === 5 ? nameIn(properties) : undefined
    if (!bridge) this.introduced(clientId, name)
    if (!bridge && name === undefined) {
      this.guests.delete(clientId)
      return
    }
    if (this.guests.size < MOST_NAMES) this.guests.add(clientId)
    this.onGuest()
  }

  /** The bridge with the session `clientId` leads to the broker `name`; undefined when that is not known. */
  introduced(clientId: string, name: string | undefined): void {
    if (name === this.names.get(clientId)) return
    if (name === undefined || !NAME.test(name)) {
      this.forget(clientId)
      return
    }
    if (this.names.size >= MOST_NAMES && !this.names.has(clientId) && !this.makeRoom()) return
    this.names.set(clientId, name)
    this.remember(keyOf(clientId), name)
  }

  /** Forgets the bridge that is known longest of those without a session: nobody can have others forgotten who are there. */
  private makeRoom(): boolean {
    for (const clientId of this.names.keys())
      if (!this.isThere(clientId)) {
        this.forget(clientId)
        return true
      }
    return false
  }

  private forget(clientId: string): void {
    this.names.delete(clientId)
    this.state?.delete(keyOf(clientId))
  }

  private remember(key: string, name: string): void {
    const { state } = this
    if (state === undefined || Buffer.byteLength(key) > MOST_KEY_BYTES) return
    state.set(key, name)
    // Others know this broker by it from now on.
    if (state.get(OWN_KEY) === undefined) state.set(OWN_KEY, this.name)
  }

  /** Whether two bridges are known to lead to the same broker. */
  areOne(clientId: string, other: string): boolean {
    if (this.names.size === 0) return false
    const name = this.names.get(clientId)
    return name !== undefined && name === this.names.get(other)
  }
}

function keyOf(clientId: string): string {
  return `.${clientId}`
}

/** The name of a broker in the properties of its CONNECT or CONNACK. */
export function nameIn({ userProperties }: Readonly<Properties>): string | undefined {
  return userProperties?.find(([key]) => key === PROPERTY)?.[1]
}

/** The properties that tell a broker's name. */
export function introduction(name: string): Pick<Properties, 'userProperties'> {
  return { userProperties: [[PROPERTY, name]] }
}
