// Room in the file of a store, taken before LMDB writes to it: LMDB that meets a full disk in the middle of a commit writes over its
// own memory (lmdb 3.5: a message longer than its buffer). Here a full disk is an error like any other, and nothing has happened.
// Where even what is in the file already needs room to be changed, LMDB is not asked for anything while there is little.

import { closeSync, fstatSync, openSync, type StatsFs, statfsSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import type { RootDatabase } from 'lmdb'

/** Bytes by which the file grows at least. */
const STEP = 1_048_576
const ZEROS = Buffer.alloc(262_144)
/** Pages for the lists of free pages, and then some. */
const SPARE_PAGES = 64

/** File systems that write whatever changes to another place: btrfs, ZFS, bcachefs, F2FS. */
const COPYING: ReadonlySet<number> = new Set([0x9123_683e, 0x2fc1_2fc1, 0xca45_1a4e, 0xf2f5_2010])
/** Bytes that have to be free there: some of them are only for the file system itself. */
const LEAST_FREE = 16 * 1_048_576

/** Whether a file system may have no room for a change of what it has. */
export function isCramped({ type, bavail, bsize }: Pick<StatsFs, 'type' | 'bavail' | 'bsize'>): boolean {
  return COPYING.has(type) && bavail * bsize < LEAST_FREE
}

/**
 * To be asked before anything is done with the store in the file `path`, be it reading.
 * @throws Error where there may be no room for a change
 */
export function checkRoom(path: string): void {
  if (isCramped(statfsSync(dirname(path))))
    throw new Error(
      `less than ${LEAST_FREE / 1_048_576} MiB are free, on a file system that needs room for every change`,
    )
}

export class FileSpace {
  private readonly file: number
  /** Bytes of the file that are the system's word that they can be written. */
  private size: number

  constructor(path: string) {
    this.file = openSync(path, 'r+')
    this.size = fstatSync(this.file).size
  }

  /**
   * Makes sure that a batch of `count` changes with `bytes` bytes fits.
   * @throws Error of the system when the disk is full
   */
  reserve(database: RootDatabase<Buffer, Buffer>, count: number, bytes: number): void {
    const stats = database.getStats() as {
      readonly pageSize: number
      readonly treeDepth: number
      readonly treeBranchPageCount: number
      readonly treeLeafPageCount: number
      readonly lastPageNumber: number
    }
    const { pageSize, treeDepth, treeBranchPageCount, treeLeafPageCount, lastPageNumber } = stats
    const copied = Math.min(count * (treeDepth + 1), treeBranchPageCount + treeLeafPageCount)
    const added = Math.ceil((2 * bytes) / pageSize) + Math.min(count, Math.ceil(bytes / 1024))
    const end = (lastPageNumber + 1 + copied + added + SPARE_PAGES) * pageSize
    if (end > this.size) this.grow(Math.ceil(end / STEP) * STEP)
  }

  private grow(end: number): void {
    while (this.size < end)
      this.size += writeSync(this.file, ZEROS, 0, Math.min(ZEROS.length, end - this.size), this.size)
  }

  close(): void {
    closeSync(this.file)
  }
}
