// What the access rules have refused, as notices that name the rule: at most once a second per client and rule, because a client
// may be refused as often as it asks. Refusing is done where the rules are asked.

import type { AclRule } from '../../access/acl-file.js'
import { type AclDecision, type AclVerb, DECISION_REASONS, type Rights } from '../../access/client-rights.js'
import type { ListenerConfig } from '../../options/config.js'
import type { Log } from './log.js'

/** ms */
const INTERVAL = 1000

/** Who was refused. */
export interface Refused {
  readonly clientId: string
  readonly rights: Rights
  /** Whose settings name the file of the rules. */
  readonly listener: { readonly config: ListenerConfig }
}

/** What was refused: to publish, to subscribe, to end that, or to have a message delivered. */
export type RefusedVerb = AclVerb

export class Denials {
  private readonly log: Log
  /** What has been told since `clearedAt` (ms), by client. */
  private readonly told = new Map<string, Set<AclRule | string>>()
  private clearedAt = 0

  constructor(log: Log) {
    this.log = log
  }

  /** Tells that `topic`, or a filter, was refused to a client, unless the same rule was told a moment ago. */
  report(client: Refused, verb: RefusedVerb, topic: string): void {
    const decision = client.rights.explain(verb, topic)
    const told = this.told.get(client.clientId) ?? new Set()
    const key = decision.rule ?? `${verb} ${decision.by ?? decision.reason}`
    if (told.has(key)) return
    this.told.set(client.clientId, told.add(key))
    const { acl_file: file } = client.listener.config
    this.log.notice(`ACL denying ${actionText(client.clientId, verb, topic)}: ${reasonText(decision, file)}.`)
  }

  /** Looks at the time (ms): what was told may be told again. */
  tick(now: number): void {
    if (now - this.clearedAt < INTERVAL) return
    this.clearedAt = now
    this.told.clear()
  }
}

const actions = {
  read: ['delivery of', 'to'],
  write: ['publish to', 'by'],
  subscribe: ['subscription to', 'by'],
  unsubscribe: ['unsubscription from', 'by'],
} as const satisfies Readonly<Record<RefusedVerb, readonly [string, string]>>

function actionText(clientId: string, verb: RefusedVerb, topic: string): string {
  const [action, preposition] = actions[verb]
  return `${action} '${topic}' ${preposition} client ${clientId}`
}

/** `FILE:LINE: RULE`, or why there is no rule. */
function reasonText({ rule, reason, allowed, by }: AclDecision, file: string | undefined): string {
  if (rule !== undefined) return `${file}:${rule.line}: ${rule.text}`
  if (by !== undefined) return `plugin ${by}`
  // Behind a mount point the rules may allow what is the broker's own in the client's eyes.
  if (allowed) return DECISION_REASONS['sys-write']
  return reason === 'no-rule' ? `no rule of ${file} matches` : DECISION_REASONS[reason]
}
