// Jobs of which only some run at once; the others wait for their turn, in the order in which they came.

interface Waiting {
  readonly isWanted: () => boolean
  /** Its turn has come, or never will. */
  readonly go: (hasTurn: boolean) => void
}

export class Turns {
  private readonly most: number
  private waiting: Waiting[] = []
  private running = 0

  /** @param most jobs at once, at least 1 */
  constructor(most: number) {
    this.most = most
  }

  /** Runs `job` when its turn comes; undefined, without running it, when it `isWanted` no more by then. */
  async take<T>(job: () => Promise<T>, isWanted: () => boolean = () => true): Promise<T | undefined> {
    if (this.running < this.most) this.running++
    else if (!(await this.turn(isWanted))) return undefined
    try {
      return isWanted() ? await job() : undefined
    } finally {
      // The place is handed on, so that nobody who comes in between can take it.
      const next = this.waiting.shift()
      if (next === undefined) this.running--
      else next.go(true)
    }
  }

  private turn(isWanted: () => boolean): Promise<boolean> {
    return new Promise((resolve) => {
      this.waiting.push({ isWanted, go: resolve })
    })
  }

  /** Has those go that are not wanted any more: their turn may never come. */
  sweep(): void {
    const gone = this.waiting.filter(({ isWanted }) => !isWanted())
    if (gone.length === 0) return
    this.waiting = this.waiting.filter(({ isWanted }) => isWanted())
    for (const { go } of gone) go(false)
  }
}
