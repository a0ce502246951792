// Things by their names, and the names in order for lists that are shown in parts.

export class Registry<T> {
  private readonly entries = new Map<string, T>()
  private sortedNames: readonly string[] | undefined = undefined

  get size(): number {
    return this.entries.size
  }

  get(name: string): T | undefined {
    return this.entries.get(name)
  }

  set(name: string, entry: T): void {
    if (!this.entries.has(name)) this.sortedNames = undefined
    this.entries.set(name, entry)
  }

  delete(name: string): void {
    if (this.entries.delete(name)) this.sortedNames = undefined
  }

  values(): Iterable<T> {
    return this.entries.values()
  }

  /** All names, sorted. */
  get names(): readonly string[] {
    this.sortedNames ??= [...this.entries.keys()].sort()
    return this.sortedNames
  }

  /** All entries, sorted by their names. */
  get sorted(): readonly T[] {
    return this.names.flatMap((name) => this.entries.get(name) ?? [])
  }
}
