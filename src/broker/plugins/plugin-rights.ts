// What a client may do where plugins have a say: the first of them that answers decides, the ACL file otherwise. What belongs to the
// broker stays so whatever they say.

import type { AclDecision, AclVerb, Rights } from '../../access/client-rights.js'
import type { BrokerContext } from '../context.js'
import type { OpenListener } from '../open-listener.js'
import type { ClientInfo } from './plugin-facts.js'
import type { Points } from './points.js'

type Authorize = NonNullable<Points['authorize']>

const ACTIONS = { read: 'deliver', write: 'publish', subscribe: 'subscribe', unsubscribe: 'unsubscribe' } as const
const DOLLAR = 0x24

class PluginRights implements Rights {
  readonly grantsNothing = false
  private readonly rights: Rights
  private readonly authorize: Authorize
  private readonly client: ClientInfo
  /** The last refusal. */
  private last: { readonly verb: AclVerb; readonly topic: string; readonly decision: AclDecision } | undefined =
    undefined

  constructor(rights: Rights, authorize: Authorize, client: ClientInfo) {
    this.rights = rights
    this.authorize = authorize
    this.client = client
  }

  mayRead(topic: string): boolean {
    return this.decide('read', topic).allowed
  }

  mayWrite(topic: string): boolean {
    return this.decide('write', topic).allowed
  }

  /** The last decision again, so that nobody is asked twice because a refusal is told in the log. */
  explain(verb: AclVerb, topic: string): AclDecision {
    const { last } = this
    return last?.verb === verb && last.topic === topic ? last.decision : this.decide(verb, topic)
  }

  decide(verb: AclVerb, topic: string): AclDecision {
    const decision = this.ask(verb, topic)
    if (!decision.allowed) this.last = { verb, topic, decision }
    return decision
  }

  private ask(verb: AclVerb, topic: string): AclDecision {
    if (verb === 'write' && topic.charCodeAt(0) === DOLLAR) {
      const decision = this.rights.explain(verb, topic)
      if (decision.reason === 'sys-write' || decision.reason === 'share-topic') return decision
    }
    return this.authorize(this.client, ACTIONS[verb], topic) ?? this.rights.explain(verb, topic)
  }
}

/** What a client that came in at `listener` may do by the rules in force. */
export function rightsOf(
  { access, points }: Pick<BrokerContext, 'access' | 'points'>,
  listener: OpenListener,
  username: string | undefined,
  clientId: string,
): Rights {
  const rights = access.rightsFor(listener.config, username, clientId)
  const { authorize } = points
  if (authorize === undefined) return rights
  return new PluginRights(rights, authorize, { clientId, username, listener: listener.info })
}
