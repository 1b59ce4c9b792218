import type { ReactNode } from 'react';

/** Drawn here, on one 20-unit grid with one stroke, so that they belong together. All are decoration. */
function Icon({ children, size = 20 }: { children: ReactNode; size?: number }) {
  return (
    <svg
      aria-hidden="true"
      focusable="false"
      width={size}
      height={size}
      viewBox="0 0 20 20"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.6"
      strokeLinecap="round"
      strokeLinejoin="round"
    >
      {children}
    </svg>
  );
}

interface Size {
  readonly size?: number;
}

export const SunIcon = (props: Size) => (
  <Icon {...props}>
    <circle cx="10" cy="10" r="3.4" />
    <path d="M10 2.5v1.6M10 15.9v1.6M2.5 10h1.6M15.9 10h1.6M4.7 4.7l1.1 1.1M14.2 14.2l1.1 1.1M15.3 4.7l-1.1 1.1M5.8 14.2l-1.1 1.1" />
  </Icon>
);
export const MoonIcon = (props: Size) => (
  <Icon {...props}>
    <path d="M16.5 11.9A6.8 6.8 0 0 1 8.1 3.5a6.8 6.8 0 1 0 8.4 8.4Z" />
  </Icon>
);
export const FileIcon = (props: Size) => (
  <Icon {...props}>
    <path d="M5 2.8h6.2L15.5 7v10.2H5z" />
    <path d="M11 2.8V7.2h4.5M7.6 10.4h5M7.6 13.4h3.4" />
  </Icon>
);
export const UploadIcon = (props: Size) => (
  <Icon {...props}>
    <path d="M10 12.8V3.6M6.6 6.8 10 3.4l3.4 3.4M3.5 13v3.5h13V13" />
  </Icon>
);
export const CloseIcon = (props: Size) => (
  <Icon {...props}>
    <path d="m5 5 10 10M15 5 5 15" />
  </Icon>
);
export const CheckIcon = (props: Size) => (
  <Icon {...props}>
    <path d="m4.2 10.6 3.9 3.9 7.7-8.6" />
  </Icon>
);
export const AlertIcon = (props: Size) => (
  <Icon {...props}>
    <circle cx="10" cy="10" r="7.2" />
    <path d="M10 6.2v4.6M10 13.6v.1" />
  </Icon>
);
export const ChevronIcon = (props: Size) => (
  <Icon {...props}>
    <path d="m5.5 8 4.5 4.5L14.5 8" />
  </Icon>
);
export const BackIcon = (props: Size) => (
  <Icon {...props}>
    <path d="M16 10H4.4M8.8 5.4 4.2 10l4.6 4.6" />
  </Icon>
);
export const ArrowIcon = (props: Size) => (
  <Icon {...props}>
    <path d="M4 10h11.6M11.2 5.4 15.8 10l-4.6 4.6" />
  </Icon>
);
export const CopyIcon = (props: Size) => (
  <Icon {...props}>
    <path d="M7 7h9.2v9.7H7z" />
    <path d="M13 4V3.3H3.8V13h.7" />
  </Icon>
);
export const LinkIcon = (props: Size) => (
  <Icon {...props}>
    <path d="M8.4 11.6a3.2 3.2 0 0 0 4.5 0l2.6-2.6a3.2 3.2 0 0 0-4.5-4.5l-.9.9M11.6 8.4a3.2 3.2 0 0 0-4.5 0L4.5 11A3.2 3.2 0 0 0 9 15.5l.9-.9" />
  </Icon>
);
export const PrintIcon = (props: Size) => (
  <Icon {...props}>
    <path d="M6 7.2V3h8v4.2M6 14H3.5V7.2h13V14H14M6 11.8h8V17H6z" />
  </Icon>
);
export const DownloadIcon = (props: Size) => (
  <Icon {...props}>
    <path d="M10 3.4v9.2M6.6 9.4 10 12.8l3.4-3.4M3.5 13v3.5h13V13" />
  </Icon>
);
export const PlusIcon = (props: Size) => (
  <Icon {...props}>
    <path d="M10 4.4v11.2M4.4 10h11.2" />
  </Icon>
);

/** The mark: a lens held over one highlighted line. */
export function Mark({ size = 30 }: Size) {
  return (
    <svg aria-hidden="true" focusable="false" width={size} height={size} viewBox="0 0 32 32">
      <rect className="mark__ground" width="32" height="32" rx="8" />
      <circle className="mark__rim" cx="14" cy="14" r="7.25" fill="none" strokeWidth="2.5" />
      <path className="mark__line" d="M10.5 14h7" strokeWidth="3.2" strokeLinecap="round" />
      <path className="mark__rim" d="m19.6 19.6 5.4 5.4" strokeWidth="2.8" strokeLinecap="round" />
    </svg>
  );
}
