// What the access rules have refused, as notices that name the rule: at most once a second per client and rule, because a client
// may be refused as often as it asks. Refusing is done where the rules are asked.

import type { AclRule } from '../../access/acl-file.js'
import { type AclDecision, type ClientRights, DECISION_REASONS } from '../../access/client-rights.js'
import type { ListenerConfig } from '../../options/config.js'
import type { Log } from './log.js'

/** ms */
const INTERVAL = 1000

/** Who was refused. */
export interface Refused {
  readonly clientId: string
  readonly rights: ClientRights
  /** Whose settings name the file of the rules. */
  readonly listener: { readonly config: ListenerConfig }
}

/** What was refused: to publish, to subscribe, or to have a message delivered. */
export type RefusedVerb = 'write' | 'subscribe' | 'read'

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
    const key = decision.rule ?? `${verb} ${decision.reason}`
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

function actionText(clientId: string, verb: RefusedVerb, topic: string): string {
  if (verb === 'read') return `delivery of '${topic}' to client ${clientId}`
  return verb === 'write'
    ? `publish to '${topic}' by client ${clientId}`
    : `subscription to '${topic}' by client ${clientId}`
}

/** `FILE:LINE: RULE`, or why there is no rule. */
function reasonText({ rule, reason, allowed }: AclDecision, file: string | undefined): string {
  if (rule !== undefined) return `${file}:${rule.line}: ${rule.text}`
  // Behind a mount point the rules may allow what is the broker's own in the client's eyes.
  if (allowed) return DECISION_REASONS['sys-write']
  return reason === 'no-rule' ? `no rule of ${file} matches` : DECISION_REASONS[reason]
}
