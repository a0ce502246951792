// The file on disk: it is replaced in one step, for its owner alone, so that whoever reads it finds the old state or the new one, never a
// part, whenever the machine stops. What is in it is for config-file.

import { lstatSync, realpathSync } from 'node:fs'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { readRestrictedFile, systemText } from '../../access/restricted-file.js'

/** What a folder says that cannot be synced as such; the file itself is safe. */
const NO_FOLDER_SYNC = ['EACCES', 'EINVAL', 'EISDIR', 'ENOTSUP', 'EPERM']

export class StoredConfig {
  readonly path: string
  /** Something has changed that is not on disk. */
  isDirty = false
  private readonly text: () => string
  private saving: Promise<void> = Promise.resolve()

  /** @param text makes what is to be in the file */
  constructor(path: string, text: () => string) {
    this.path = path
    this.text = text
  }

  /** Resolves when what has changed so far is on disk. Rejects when it cannot be written: the file is as it was. */
  save(): Promise<void> {
    this.saving = this.saving.catch(() => {}).then(() => this.write())
    return this.saving
  }

  private async write(): Promise<void> {
    if (!this.isDirty) return
    this.isDirty = false
    try {
      await replaceFile(this.path, this.text())
    } catch (error) {
      this.isDirty = true
      throw error
    }
  }
}

/** The text of a file and what is loose about its permissions; undefined when there is none. @throws AccessFileError */
export function readIfThere(path: string): { readonly text: string; readonly warnings: readonly string[] } | undefined {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return undefined
  const { content, warnings } = readRestrictedFile(path)
  return { text: content.toString(), warnings }
}

/** Puts `text` in the place of a file. @throws Error that names it */
export async function replaceFile(path: string, text: string): Promise<void> {
  const target = targetOf(path)
  const next = `${target}.new`
  try {
    await rm(next, { force: true })
    await writeNew(next, text)
    await rename(next, target)
  } catch (error) {
    await rm(next, { force: true }).catch(() => {})
    throw new Error(`cannot write ${path}: ${systemText(error)}`, { cause: error })
  }
  await syncFolder(dirname(target))
}

/** Where a symbolic link leads, which stays. */
function targetOf(path: string): string {
  return lstatSync(path, { throwIfNoEntry: false }) === undefined ? path : realpathSync(path)
}

async function writeNew(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** The rename itself must survive a crash as well. */
async function syncFolder(path: string): Promise<void> {
  let folder: FileHandle | undefined
  try {
    folder = await open(path, 'r')
    await folder.sync()
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && NO_FOLDER_SYNC.includes(String(error.code)))) throw error
  } finally {
    await folder?.close()
  }
}
