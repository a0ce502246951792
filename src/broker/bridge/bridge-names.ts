// The names a bridge goes by, and what can only be judged with them: ids that are taken, topics that make no filter (bridges.md
// sections 1 and 2).

import { hostname } from 'node:os'
import { canSetProbes } from '../../net/keep-alive.js'
import { hasTcpTable } from '../../net/tcp-table.js'
import type { BridgeConfig } from '../../options/bridge-config.js'
import { type Config, ConfigError } from '../../options/config.js'
import { isTopicName } from '../../protocol/topics.js'
import { topicFault } from './bridge-topics.js'

export interface BridgeNames {
  /** At the remote broker. */
  readonly remoteClientId: string
  /** Of the session here. */
  readonly localClientId: string
  /** Where its state is published. */
  readonly stateTopic: string
}

export function bridgeNames(config: BridgeConfig): BridgeNames {
  const remoteClientId = config.remote_clientid ?? `${hostname()}.${config.name}`
  return {
    remoteClientId,
    localClientId: config.local_clientid ?? `local.${remoteClientId}`,
    stateTopic: config.notification_topic ?? `$SYS/broker/connection/${remoteClientId}/state`,
  }
}

/**
 * What is wrong with the bridges of a configuration beyond single directives.
 * @param canSeeQueues whether this system tells what its TCP connections wait for
 */
export function bridgeProblems({ bridges }: Config, canSeeQueues = hasTcpTable): readonly ConfigError[] {
  const owners = new Map<string, string>()
  const problems: ConfigError[] = []
  for (const bridge of bridges) {
    const { name, where } = bridge
    const fault = (option: string, reason: string) =>
      problems.push(new ConfigError(where.file, where.line, option, `of bridge ${name} ${reason}`))
    for (const topic of bridge.topic) {
      const reason = topicFault(topic)
      if (reason !== undefined) fault('topic', `topic '${topic.pattern}' cannot be used: ${reason}`)
    }
    if (bridge.bridge_tcp_keepalive !== undefined && !canSetProbes)
      fault(
        'bridge_tcp_keepalive',
        `bridge_tcp_keepalive needs Node.js 26: ${process.version} cannot set the probes of TCP; keepalive_interval finds dead connections`,
      )
    if (bridge.bridge_tcp_user_timeout > 0 && !canSeeQueues())
      fault(
        'bridge_tcp_user_timeout',
        'bridge_tcp_user_timeout needs Linux and its /proc/net/tcp, which cannot be read here; keepalive_interval finds dead connections',
      )
    const { localClientId, stateTopic } = bridgeNames(bridge)
    const owner = owners.get(localClientId)
    if (owner !== undefined && owner !== name)
      fault('local_clientid', `local_clientid '${localClientId}' is that of bridge ${owner} already`)
    owners.set(localClientId, name)
    if (bridge.notifications && !isTopicName(stateTopic))
      fault('notification_topic', `'${stateTopic}' is not a topic to publish the state to: give a notification_topic`)
  }
  return problems
}
