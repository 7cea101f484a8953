/** What is used of noVNC, which brings no types of its own (docs/API.md of version 1.7). */
declare module '@novnc/novnc' {
  export default class RFB extends EventTarget {
    constructor(target: HTMLElement, channel: object, options?: { shared?: boolean; wsProtocols?: string[] });
    viewOnly: boolean;
    scaleViewport: boolean;
    clipViewport: boolean;
    dragViewport: boolean;
    resizeSession: boolean;
    showDotCursor: boolean;
    focusOnClick: boolean;
    background: string;
    qualityLevel: number;
    compressionLevel: number;
    disconnect(): void;
    focus(): void;
    blur(): void;
    sendKey(keysym: number, code: string | null, down?: boolean): void;
    sendCtrlAltDel(): void;
    clipboardPasteFrom(text: string): void;
    /** Not of its API, but of the very version that is pinned: how many bytes came and were not looked at yet. */
    _sock: { rQlen(): number };
    /** Nor this: sizes in pixels, and what the device says about its own. */
    _fbWidth: number;
    _fbHeight: number;
    _FBU: { x: number; y: number };
    _screenSize(): { w: number; h: number };
    _handleExtendedDesktopSize(): boolean;
    toBlob(callback: (blob: Blob | null) => void, type?: string): void;
  }
}
