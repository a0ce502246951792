// What a client becomes whose CONNECT was accepted: its session is opened, its will is kept for the day it is needed, and what the
// broker has to know of it is put together (MQTT 5.0 sections 3.1.2, 3.1.4). Telling it so, and its life afterwards, is its handler's.

import type { Rights } from '../../access/client-rights.js'
import type { Connect, Will } from '../../protocol/packets/connect.js'
import type { Publisher } from '../../session/message.js'
import { ReceivedAliases } from '../../session/topic-aliases.js'
import type { BrokerContext } from '../context.js'
import type { OpenListener } from '../open-listener.js'
import type { HeldOutput } from '../persistence/held-output.js'
import { rightsOf } from '../plugins/plugin-rights.js'
import type { Wills } from '../routing/wills.js'
import { ClientPublisher } from './client-publisher.js'
import { type Admission, receiveMaximumOf } from './connect.js'
import type { ConnectedClient } from './connected-client.js'
import type { PacketSender } from './packet-sender.js'
import { mayPublish } from './publish-in.js'
import type { Sessions } from './sessions.js'

/** Who keeps what outlives connections. */
export interface Keepers {
  readonly wills: Wills
  readonly sessions: Sessions
}

/** What leads to the client: of its connection. */
export interface WayOut {
  readonly sender: PacketSender
  /** With a store. */
  readonly waiter: HeldOutput | undefined
}

/** A client that has come in. */
export interface Entry {
  readonly client: ConnectedClient
  /** Its session existed before. */
  readonly isPresent: boolean
  /** Here; its session may have others, of where it came in before. */
  readonly rights: Rights
}

/** Has a client come in. Another connection that had its session has ended. */
export function enter(
  context: BrokerContext,
  { sessions, wills }: Keepers,
  listener: OpenListener,
  connect: Connect,
  admission: Admission,
  { sender, waiter }: WayOut,
): Entry {
  const { journal, access, config } = context
  const { config: settings } = listener
  const { protocolVersion: version, username, cleanStart } = connect
  const { clientId, sessionExpiry: expiryInterval } = admission
  const mountPoint = settings.mount_point ?? ''
  const rights = rightsOf(context, listener, username, clientId)
  const touched = journal?.touched
  const owner = { clientId, username, listener, mountPoint, rights, cleanStart, expiryInterval }
  const { session, isPresent } = sessions.open(owner)
  if (isPresent) wills.cancel(clientId) // [MQTT-3.1.3-9]
  // What is sent behind CONNACK may come from changes that are not on disk yet.
  if (waiter !== undefined && journal?.touched !== touched) journal?.hold(waiter)
  const publisher = new ClientPublisher(context, listener, clientId, username)
  const will = willOf(context, connect, { publisher, mountPoint, rights })
  if (will !== undefined) wills.entrust({ will, publisher, mountPoint }) // [MQTT-3.1.2-7]
  context.neighbours.arrived(clientId, connect)
  const client = {
    version,
    session,
    sender,
    waiter,
    maxQos: settings.max_qos,
    mountPoint,
    isBridge: connect.bridge,
    publisher,
    aliases: new ReceivedAliases(version === 5 ? settings.max_topic_alias : 0),
    receiveMaximum: version === 5 ? receiveMaximumOf(config) : 65_535,
    will,
    keepAlive: admission.keepAlive,
    connectedAt: context.clock(),
    credential: admission.isVouchedFor === true ? undefined : access.credentialOf(settings, username),
    isVouchedFor: admission.isVouchedFor === true,
    askedForSession: (connect.properties.sessionExpiryInterval ?? 0) > 0,
  }
  return { client, isPresent, rights }
}

/** The will of a client that may publish it. */
function willOf(
  { log }: BrokerContext,
  { will }: Connect,
  of: { readonly publisher: Publisher; readonly mountPoint: string; readonly rights: Rights },
): Will | undefined {
  if (will === undefined || mayPublish(of.mountPoint, of.rights, will.topic)) return will
  log.notice(`Will of ${of.publisher.clientId} to '${of.mountPoint}${will.topic}' denied by the ACL.`)
  return undefined
}
