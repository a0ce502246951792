// What a bridge says in CONNECT (bridges.md section 4), and what it learns from a refusal: that the remote broker speaks an older
// version, does not know bridges, or takes less than was asked.

import type { BridgeConfig } from '../../options/bridge-config.js'
import type { Config } from '../../options/config.js'
import { PacketType, type ProtocolVersion } from '../../protocol/packet-types.js'
import type { Connect } from '../../protocol/packets/connect.js'
import type { Qos } from '../../protocol/packets/publish.js'
import { NO_PROPERTIES, type Properties } from '../../protocol/properties.js'
import { ReasonCode } from '../../protocol/reason-codes.js'
import { introduction } from '../neighbours.js'
import type { BridgeNames } from './bridge-names.js'
import type { AnnouncedLimits } from './remote-inbox.js'

const VERSIONS = { mqttv31: 3, mqttv311: 4, mqttv50: 5 } as const
/** The return code of MQTT 3.x for a protocol level that is not known. */
const UNACCEPTABLE_LEVEL = 1

export class BridgeConnect {
  version: ProtocolVersion
  /** The highest QoS that was not refused, and whether RETAIN was not. */
  maxQos: Qos = 2
  retain = true
  private marksBridge: boolean
  private readonly config: BridgeConfig
  private readonly names: BridgeNames

  constructor(config: BridgeConfig, names: BridgeNames) {
    this.config = config
    this.names = names
    this.version = VERSIONS[config.bridge_protocol_version]
    this.marksBridge = config.try_private
  }

  /** Whether the remote broker is told of the bridge's state. */
  get announces(): boolean {
    return this.config.notifications && !this.config.notifications_local_only
  }

  /** Whether the remote broker, which speaks 3.x, has been told that this is a bridge. */
  get isMarked(): boolean {
    return this.version < 5 && this.marksBridge
  }

  /** What holds for the remote broker's messages. */
  announced({ max_inflight_messages: window }: Config): AnnouncedLimits {
    if (this.version < 5) return { receiveMaximum: 65_535, topicAliasMaximum: 0 }
    const { bridge_receive_maximum: receiveMaximum, bridge_max_topic_alias: topicAliasMaximum } = this.config
    return { receiveMaximum: receiveMaximum ?? (window || 65_535), topicAliasMaximum }
  }

  /** @param name of this broker */
  packet(settings: Config, name: string): Connect {
    const { config, names, version } = this
    const { remote_username: username, remote_password: password } = config
    // In 3.x there is no password without a user name [MQTT-3.1.2-22 of 3.1.1]: after a fallback it is left out.
    const hasPassword = password !== undefined && (version === 5 || username !== undefined)
    return {
      type: PacketType.CONNECT,
      protocolVersion: version,
      bridge: this.isMarked,
      cleanStart: config.cleansession,
      keepAlive: config.keepalive_interval,
      clientId: names.remoteClientId,
      properties: version === 5 ? this.properties(settings, name) : NO_PROPERTIES,
      will: this.announces
        ? {
            topic: names.stateTopic,
            payload: Buffer.from('0'),
            qos: Math.min(1, this.maxQos) as Qos,
            retain: this.retain,
            properties: NO_PROPERTIES,
          }
        : undefined,
      username,
      password: hasPassword ? Buffer.from(password) : undefined,
    }
  }

  private properties(settings: Config, name: string): Properties {
    const { receiveMaximum, topicAliasMaximum } = this.announced(settings)
    const { bridge_session_expiry_interval: expiry } = this.config
    return {
      maximumPacketSize: settings.max_packet_size,
      ...(receiveMaximum < 65_535 && { receiveMaximum }),
      ...(topicAliasMaximum > 0 && { topicAliasMaximum }),
      ...(expiry > 0 && { sessionExpiryInterval: expiry }),
      ...(this.config.try_private && introduction(name)),
    }
  }

  /**
   * Asks for less after a refusal, if that can help: returns what, in words; undefined when there is nothing to be changed.
   * @param reasonCode of CONNACK: a reason code of 5.0, a return code of 3.x
   */
  adapt(reasonCode: number): string | undefined {
    if (this.version < 5) {
      if (reasonCode !== UNACCEPTABLE_LEVEL || !this.marksBridge) return undefined
      this.marksBridge = false
      return 'the remote broker is not told that this is a bridge'
    }
    switch (reasonCode) {
      case ReasonCode.UNSUPPORTED_PROTOCOL_VERSION:
        this.version = 4
        return 'MQTT 3.1.1 is used from now on'
      case ReasonCode.QOS_NOT_SUPPORTED:
        if (this.maxQos === 0) return undefined
        this.maxQos = (this.maxQos - 1) as Qos
        return `QoS ${this.maxQos} is the highest from now on`
      case ReasonCode.RETAIN_NOT_SUPPORTED:
        if (!this.retain) return undefined
        this.retain = false
        return 'nothing is retained there from now on'
      default:
        return undefined
    }
  }
}
