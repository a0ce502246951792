// What the password of an unknown name is checked against, so that the time a refusal takes does not tell which names a file has
// (spec: security.md D3.4). In a file of several kinds each unknown name has a kind of its own, as each known one has, and keeps it.
import { createHmac } from 'node:crypto'
import { decoyOf, describeHash, type PasswordHash } from './password-hash.js'

interface Kind {
  readonly decoy: PasswordHash
  /** Users with this kind and the kinds before it. */
  readonly upTo: number
}

/** Chooses among the kinds of hashes in a file, each as often as users have it. */
export class Decoys {
  readonly #kinds: readonly Kind[]
  readonly #users: number
  /**
   * Taken from the file itself, where nobody can see it: the choice stays the same after a restart, and for nearly every name after
   * a change of the file.
   */
  readonly #key: string

  constructor(users: ReadonlyMap<string, PasswordHash>) {
    const byKind = new Map<string, PasswordHash[]>()
    let key: string | undefined
    for (const hash of users.values()) {
      const kind = describeHash(hash)
      const same = byKind.get(kind)
      if (same) same.push(hash)
      else byKind.set(kind, [hash])
      if (key === undefined || hash.text < key) key = hash.text
    }
    let upTo = 0
    this.#kinds = [...byKind]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([, [first, ...others]]) => {
        upTo += 1 + others.length
        return first === undefined ? [] : [{ decoy: decoyOf(first), upTo }]
      })
    this.#users = users.size
    this.#key = key ?? ''
  }

  /** Always the same kind for the same name; undefined when the file has no users, so that no name can be told from another. */
  for(username: string): PasswordHash | undefined {
    const share = createHmac('sha256', this.#key).update(username).digest().readUInt32BE() / 2 ** 32
    return this.#kinds.find(({ upTo }) => share * this.#users < upTo)?.decoy
  }
}
