/** A fenced block of a page. */
export interface Block {
  page: string;
  line: number;
  language: string;
  tag: string;
  code: string;
}

export interface Sample {
  file: string;
  kind: 'module' | 'spec' | 'config' | 'addon' | 'jest';
  page: string;
  line: number;
}

export const FOLDER: string;
export function blocks(): Block[];
export function writeSamples(): Sample[];
