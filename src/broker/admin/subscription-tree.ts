// Everything that is subscribed to, and what is retained, as an indented tree for a person who is looking for a fault (SIGUSR2).

import type { Message } from '../../session/message.js'
import type { Session } from '../clients/session.js'
import { escapeControls } from './log.js'

/** What stands in one place of the tree. */
interface TreeEntry {
  readonly topic: string
  /** Such as `(client, 1)`. */
  readonly text: string
}

interface Branch {
  readonly entries: string[]
  readonly children: Map<string, Branch>
}

const branch = (): Branch => ({ entries: [], children: new Map() })

/** Every subscription, then those that are shared, then every retained message. */
export function subscriptionTree(sessions: Iterable<Session>, messages: Iterable<Message>): string {
  const plain: TreeEntry[] = []
  const shared: TreeEntry[] = []
  for (const { clientId, subscriptions } of sessions)
    for (const { group, text, filter, qos } of subscriptions.values()) {
      const isShared = group !== undefined
      const list = isShared ? shared : plain
      list.push({ topic: isShared ? text : filter, text: `(${clientId}, ${qos})` })
    }
  const retained = [...messages].map(({ topic, qos, size }) => ({ topic, text: `(q${qos}, ${size} bytes)` }))
  const tree = (title: string, entries: readonly TreeEntry[]) => [`${title}:`, ...treeLines(entries)]
  return `${[
    ...tree('Subscriptions', plain),
    ...tree('Shared subscriptions', shared),
    ...tree('Retained messages', retained),
  ].join('\n')}\n`
}

/** Lines: each level two blanks further in than the one above, what stands there behind it. */
function treeLines(entries: Iterable<TreeEntry>): string[] {
  const root = branch()
  for (const { topic, text } of entries) {
    let at = root
    for (const level of topic.split('/')) {
      const next = at.children.get(level) ?? branch()
      at.children.set(level, next)
      at = next
    }
    at.entries.push(text)
  }
  const lines: string[] = []
  // Without recursion: a topic may have many levels.
  const open: { readonly name: string; readonly depth: number; readonly at: Branch }[] = []
  const push = (parent: Branch, depth: number) => {
    for (const [name, at] of [...parent.children].reverse()) open.push({ name, depth, at })
  }
  push(root, 1)
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { name, depth, at } = next
    lines.push(escapeControls(`${'  '.repeat(depth)}${[name, ...at.entries].join(' ')}`))
    push(at, depth + 1)
  }
  return lines
}
