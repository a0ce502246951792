// What `import … from 'tsmq'` gives: a broker, a client, and the codec beneath them.

export { AccessError } from './broker/access-control.js'
export type { LogType } from './broker/admin/log.js'
export { ListenError } from './broker/listeners.js'
export type { BrokerHandle, ClientState, OwnMessage, PluginState } from './broker/plugins/broker-handle.js'
export { PluginError } from './broker/plugins/loaded-plugin.js'
export type * from './broker/plugins/plugin.js'
export type * from './broker/plugins/plugin-facts.js'
export { ClientError, type ClientErrorKind } from './client/client-error.js'
export {
  type AttachOptions,
  Broker,
  type BrokerAddress,
  type BrokerClient,
  type BrokerOptions,
} from './library/broker.js'
export type { ClientTlsOptions } from './library/broker-address.js'
export { type ListenerOptions, OptionsError, type OptionValue } from './library/broker-options.js'
export { Client, type SubscribeOptions } from './library/client.js'
export type { ConnectOptions } from './library/connect-options.js'
export type { IncomingMessage, OutgoingMessage } from './library/message.js'
export type { MessageHandler, Subscription } from './library/subscription.js'
export { decodePacket, encodePacket, type Packet } from './protocol/codec.js'
export { Framer } from './protocol/framer.js'
export { PacketType, type ProtocolVersion } from './protocol/packet-types.js'
export { publish, type Qos } from './protocol/packets/publish.js'
export type { Properties, UserProperty } from './protocol/properties.js'
export { ProtocolError } from './protocol/protocol-error.js'
export { ReasonCode } from './protocol/reason-codes.js'
export { isTopicFilter, isTopicName, matches } from './protocol/topics.js'
export { StoreError, type StoreFault } from './store/store-error.js'
