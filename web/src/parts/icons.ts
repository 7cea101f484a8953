/** The console's pictures: lucide's, under our words, and a few of our own where a state needs a shape of its own. */

import {
  Ban, Bookmark, Building2, CalendarClock, Camera, Check, ChevronDown, ChevronRight, ChevronUp, CircleCheck, CircleHelp, CircleX, Clock,
  Copy, Cpu, Download, Ellipsis, Eye, EyeOff, File, FileTerminal, Fingerprint, Folder, FolderPlus, HardDrive, History, Hourglass,
  type IconNode, Info, Keyboard, KeyRound, Laptop, Link, ListChecks, Lock, LogOut, Mail, MapPin, Maximize, Monitor, MonitorDown, Moon,
  Network, Package, Palette, PanelLeft, Pause, Pencil, Play, Plus, Printer, RotateCw, Save, Scissors, ScrollText, Search, Server, Settings, Shield,
  ShieldAlert, ShieldCheck, ShieldX, Smartphone, SquareCheckBig, SquareTerminal, Sun, Tag, Timer, Trash2, TriangleAlert, Upload, User,
  UserRoundX, Users, Webhook, X,
} from 'lucide';

const DOT = { fill: 'currentColor', stroke: 'none' };

export const ICONS = {
  add: Plus, approve: SquareCheckBig, audit: ScrollText, back: History, bad: CircleX, ban: Ban, bookmark: Bookmark, camera: Camera, check: Check,
  clock: Clock,
  copy: Copy, cpu: Cpu, cut: Scissors, customer: Building2, device: Monitor, disk: HardDrive, done: CircleCheck, down: ChevronDown,
  download: Download, edit: Pencil, eye: Eye, eyeoff: EyeOff, gear: Settings, file: File, folder: Folder, foldernew: FolderPlus, full: Maximize,
  help: CircleHelp, hourglass: Hourglass, info: Info, installer: MonitorDown, job: ListChecks, key: KeyRound, keyboard: Keyboard, laptop: Laptop,
  link: Link, lock: Lock, mail: Mail, more: Ellipsis, moon: Moon, network: Network, notme: UserRoundX, passkey: Fingerprint, people: Users,
  until: CalendarClock, out: LogOut, package: Package, palette: Palette, pause: Pause, phone: Smartphone, place: MapPin, play: Play, print: Printer, rail: PanelLeft,
  right: ChevronRight,
  rotate: RotateCw, save: Save, script: FileTerminal, search: Search, server: Server, shield: Shield, shieldalert: ShieldAlert,
  shieldok: ShieldCheck, shieldx: ShieldX, sun: Sun, tag: Tag, terminal: SquareTerminal, timer: Timer, trash: Trash2, up: ChevronUp, upload: Upload, user: User, users: Users,
  warn: TriangleAlert, webhook: Webhook, x: X,
  gate: [['path', { d: 'M5 21V4h14v17' }], ['path', { d: 'M9.5 21V8h5v13' }], ['path', { d: 'M3 21h18' }]],
  brand: [['path', { d: 'M4 21V3h16v18' }], ['path', { d: 'M9 21V8h6v13' }]],
  online: [['circle', { cx: 12, cy: 12, r: 8 }], ['circle', { cx: 12, cy: 12, r: 4, ...DOT }]],
  offline: [['circle', { cx: 12, cy: 12, r: 8 }], ['path', { d: 'm6.500 17.500 11-11' }]],
  pending: [['circle', { cx: 12, cy: 12, r: 8.5, 'stroke-dasharray': '3.2 3' }]],
  record: [['circle', { cx: 12, cy: 12, r: 8.5 }], ['circle', { cx: 12, cy: 12, r: 4.5, ...DOT }]],
  running: [['circle', { cx: 12, cy: 12, r: 8.5 }], ['path', { d: 'M10 8.500v7l5.500-3.500z', ...DOT }]],
} satisfies Record<string, IconNode>;

export type IconName = keyof typeof ICONS;
