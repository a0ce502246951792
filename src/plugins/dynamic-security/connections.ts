// Who is connected, by user name.

import type { ClientInfo } from '../../broker/plugins/plugin-facts.js'

export class Connections {
  private readonly users = new Map<string, string | undefined>()
  private readonly byUser = new Map<string | undefined, Set<string>>()

  add({ clientId, username }: ClientInfo): void {
    this.users.set(clientId, username)
    const ids = this.byUser.get(username) ?? new Set()
    this.byUser.set(username, ids.add(clientId))
  }

  remove({ clientId, username }: ClientInfo): void {
    const ids = this.byUser.get(username)
    this.users.delete(clientId)
    ids?.delete(clientId)
    if (ids?.size === 0) this.byUser.delete(username)
  }

  usernameOf(clientId: string): string | undefined {
    return this.users.get(clientId)
  }

  /** Client ids; of those without a user name where it is undefined. */
  of(username: string | undefined): readonly string[] {
    return [...(this.byUser.get(username) ?? [])]
  }
}
