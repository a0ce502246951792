// What a command is: it looks at its fields and at the directory, changes it, and says whose connections have to end because of that.

import type { Client, Directory } from '../directory.js'
import type { Fields } from './fields.js'

/** What commands work on. */
export interface Desk {
  readonly directory: Directory
  /** The directory is another than before; what clients may do is looked up anew. */
  changed(): void
  /** What these clients are or may do has changed: they have to come in again. `undefined` for those without a user name. */
  dismiss(clients: Iterable<Client | undefined>): void
  /** The rights of everybody have changed; nobody has to go. */
  review(): void
}

/**
 * Carries a command out, all of it or nothing, and returns its `data`, if it has any.
 * @throws CommandError
 */
export type Command = (fields: Fields, desk: Desk) => object | undefined | Promise<undefined>

/** Empties `links` and fills it with others. */
export function replaceLinks<T>(links: Map<T, number>, others: ReadonlyMap<T, number>): void {
  links.clear()
  for (const [linked, priority] of others) links.set(linked, priority)
}
