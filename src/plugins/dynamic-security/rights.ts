// What clients may do: the first rule of their roles that is about a request decides it, and the defaults where there is none. Asked for
// each message, so that decisions are remembered until something changes.

import type { AuthorizedAction } from '../../broker/plugins/plugin.js'
import type { ClientInfo } from '../../broker/plugins/plugin-facts.js'
import { type AclType, type Asking, asked, covers } from './acl-rule.js'
import type { DefaultType, Directory, Role } from './directory.js'

type Decision = 'allow' | 'deny'

/** The rules that are asked about an action, in this order in each role; and what decides without one. */
const actions: Readonly<
  Record<AuthorizedAction, { readonly types: readonly AclType[]; readonly otherwise: DefaultType }>
> = {
  publish: { types: ['publishClientSend'], otherwise: 'publishClientSend' },
  deliver: { types: ['publishClientReceive'], otherwise: 'publishClientReceive' },
  subscribe: { types: ['subscribeLiteral', 'subscribePattern'], otherwise: 'subscribe' },
  unsubscribe: { types: ['unsubscribeLiteral', 'unsubscribePattern'], otherwise: 'unsubscribe' },
}

/** Decisions remembered per client and action; the oldest goes first. Longer topics are decided anew each time. */
const REMEMBERED_TOPICS = 1000
const REMEMBERED_TOPIC_LENGTH = 256

/** The filter behind the name of a group. */
const SHARED = /^\$share\/[^/]*\/(.*)$/s

const GUARDED: readonly AuthorizedAction[] = ['publish', 'subscribe']

/** Those of one client. */
class ClientRights {
  private readonly roles: readonly Role[]
  private readonly defaults: Directory['defaults']
  private readonly asking: Asking
  private readonly publishing = new Map<string, Decision>()
  private readonly receiving = new Map<string, Decision>()

  constructor(roles: readonly Role[], defaults: Directory['defaults'], asking: Asking) {
    this.roles = roles
    this.defaults = defaults
    this.asking = asking
  }

  ask(action: AuthorizedAction, topic: string): Decision {
    if (action === 'publish') return this.publishing.get(topic) ?? this.remember(this.publishing, action, topic)
    if (action === 'deliver') return this.receiving.get(topic) ?? this.remember(this.receiving, action, topic)
    return this.decide(action, topic)
  }

  private remember(decisions: Map<string, Decision>, action: AuthorizedAction, topic: string): Decision {
    const decision = this.decide(action, topic)
    if (topic.length > REMEMBERED_TOPIC_LENGTH) return decision
    if (decisions.size >= REMEMBERED_TOPICS) {
      const [oldest] = decisions.keys()
      if (oldest !== undefined) decisions.delete(oldest)
    }
    decisions.set(topic, decision)
    return decision
  }

  private decide(action: AuthorizedAction, topic: string): Decision {
    const { types, otherwise } = actions[action]
    const whole = asked(topic)
    // A shared subscription gets what its filter says; a rule may be about the group as well.
    const share = action === 'publish' || action === 'deliver' ? undefined : SHARED.exec(topic)?.[1]
    const inner = share === undefined ? whole : asked(share)
    for (const { rules } of this.roles)
      for (const type of types)
        for (const rule of rules.get(type) ?? [])
          if (covers(rule, rule.isShared ? whole : inner, this.asking)) return rule.allow ? 'allow' : 'deny'
    // A default is about what everybody does: nobody becomes an administrator by it.
    const isOpen = this.defaults[otherwise] && !(isControl(inner.text) && GUARDED.includes(action))
    return isOpen ? 'allow' : 'deny'
  }
}

function isControl(topic: string): boolean {
  return topic.startsWith('$CONTROL/')
}

export class Rights {
  private readonly directory: Directory
  private byClient = new WeakMap<ClientInfo, ClientRights | 'deny' | 'defer'>()

  constructor(directory: Directory) {
    this.directory = directory
  }

  /** Something has changed: all that was decided is forgotten. */
  forget(): void {
    this.byClient = new WeakMap()
  }

  /** Undefined for those of whom nothing is known here, where the ACL file may know more. */
  ask(client: ClientInfo, action: AuthorizedAction, topic: string): Decision | undefined {
    let rights = this.byClient.get(client)
    if (rights === undefined) {
      rights = this.rightsOf(client)
      this.byClient.set(client, rights)
    }
    return typeof rights === 'object' ? rights.ask(action, topic) : rights === 'deny' ? 'deny' : undefined
  }

  private rightsOf({ username, clientId, listener }: ClientInfo): ClientRights | 'deny' | 'defer' {
    const { directory } = this
    const client = username === undefined ? undefined : directory.clients.get(username)
    const isStranger = username === undefined ? directory.anonymousGroup === undefined : client === undefined
    if (isStranger && listener.hasAclFile) return 'defer'
    if (username !== undefined && (client === undefined || client.isDisabled)) return 'deny'
    const roles = client === undefined ? directory.anonymousRoles : directory.rolesOf(client)
    return new ClientRights(roles, directory.defaults, { username, clientId })
  }
}
