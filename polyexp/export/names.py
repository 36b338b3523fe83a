"""Names that a function in source code cannot have, because C or Python uses them itself."""

import builtins
import keyword
import re

__all__ = ["FUNCTION_NAME", "is_name"]

FUNCTION_NAME = (
    "a name that C and Python allow and do not use themselves, such as my_function"  # what is wanted, in words
)

MAX_CHARACTERS = 63  # of an identifier that C99 distinguishes

KEYWORDS = """
auto break case char const continue default do double else enum extern float for goto if inline int long register restrict
return short signed sizeof static struct switch typedef union unsigned void volatile while
alignas alignof asm bool complex constexpr false fortran imaginary nullptr static_assert thread_local true typeof typeof_unqual
and and_eq bitand bitor catch char8_t char16_t char32_t class co_await co_return co_yield compl concept const_cast consteval
constinit decltype delete dynamic_cast explicit export friend module mutable namespace new noexcept not not_eq operator or or_eq
private protected public register reinterpret_cast requires static_cast template this throw try typeid typename using virtual
wchar_t xor xor_eq
main linux unix i386 vax sun near far huge interrupt
"""  # of C, of C++, of extensions, and what compilers define as macros
MATHEMATICS = """
acos acosh acospi asin asinh asinpi atan atan2 atan2pi atanh atanpi cbrt ceil copysign cos cosh cospi drem erf erfc exp exp10
exp10m1 exp2 exp2m1 expm1 fabs fdim finite floor fma fmax fmin fmod frexp gamma hypot ilogb isinf isnan j0 j1 jn ldexp
lgamma llrint llround log log10 log10p1 log1p log2 log2p1 logb logp1 lrint lround modf nan nearbyint nextafter
nextdown nexttoward nextup pow pow10 pown powr remainder remquo rint rootn round roundeven rsqrt scalb scalbln scalbn signbit
significand sin sincos sinh sinpi sqrt tan tanh tanpi tgamma trunc y0 y1 yn fadd fsub fmul fdiv ffma fsqrt fmaximum fminimum
fmaximum_mag fminimum_mag fmaximum_num fminimum_num fromfp fromfpx ufromfp ufromfpx canonicalize compoundn llogb
cabs cacos cacosh carg casin casinh catan catanh ccos ccosh cexp cimag clog clog10 conj cpow cproj creal csin csinh csqrt ctan
ctanh cexp2 cexpm1 clog2 clog1p
"""  # each of them also with the endings of other types
ENDINGS = "f l f16 f32 f64 f128 f32x f64x d32 d64 d128".split()  # noqa: SIM905
FUNCTIONS = """
abort abs aligned_alloc alloca asctime assert at_quick_exit atexit atof atoi atol atoll bsearch bcmp bcopy bzero btowc calloc
clearerr clock cnd_init cnd_wait ctime dcgettext dcngettext dgettext difftime div dngettext errno exit execl execle execlp
execv execve execvp fclose feof ferror fflush ffs ffsl ffsll fgetc fgetpos fgets fgetwc fgetws fopen fork fprintf fputc
fputc_unlocked fputs fputs_unlocked fputwc fputws fread free freopen fscanf fseek fsetpos ftell fwide fwprintf fwrite
fwrite_unlocked fwscanf getc getchar getenv gets gettext getwc getwchar gmtime imaxabs imaxdiv index isalnum isalpha isascii
isblank iscntrl isdigit isgraph islower isprint ispunct isspace isupper iswalnum iswalpha iswblank iswcntrl iswctype iswdigit
iswgraph iswlower iswprint iswpunct iswspace iswupper iswxdigit isxdigit labs ldiv llabs lldiv localeconv localtime longjmp
malloc mblen mbrlen mbrtowc mbsinit mbsrtowcs mbstowcs mbtowc memccpy memchr memcmp memcpy memmove mempcpy memset mktime
mtx_init mtx_lock ngettext perror printf printf_unlocked putc putchar puts putwc putwchar qsort quick_exit raise rand realloc
remove rename rewind rindex scanf setbuf setjmp setlocale setvbuf signal snprintf sprintf srand sscanf stderr stdin stdout
stpcpy stpncpy strcasecmp strcat strchr strcmp strcoll strcpy strcspn strdup strerror strfmon strftime strlen strncasecmp
strncat strncmp strncpy strndup strnlen strpbrk strrchr strspn strstr strtod strtof strtok strtol strtold strtoll strtoul
strtoull strxfrm swprintf swscanf system thrd_create thrd_exit time timespec_get tmpfile tmpnam toascii tolower toupper
towctrans towlower towupper tss_create ungetc ungetwc va_arg va_copy va_end va_start vfprintf vfscanf vfwprintf vfwscanf
vprintf vscanf vsnprintf vsprintf vsscanf vswprintf vswscanf vwprintf vwscanf wcrtomb wcscat wcschr wcscmp wcscoll wcscpy
wcscspn wcsftime wcslen wcsncat wcsncmp wcsncpy wcspbrk wcsrchr wcsrtombs wcsspn wcsstr wcstod wcstof wcstok wcstol wcstold
wcstoll wcstombs wcstoul wcstoull wcsxfrm wctob wctomb wctrans wctype wmemchr wmemcmp wmemcpy wmemmove wmemset wprintf wscanf
feclearexcept fegetenv fegetexceptflag fegetround feholdexcept feraiseexcept fesetenv fesetexceptflag fesetround fetestexcept
feupdateenv ffsimax fprintf_unlocked gamma_r gammaf_r gammal_r lgamma_r lgammaf_r lgammal_r posix_memalign putc_unlocked
putchar_unlocked puts_unlocked accept access alarm bind chdir chmod chown close connect creat dlopen dlsym dup dup2 fcntl
fstat getcwd getpid getuid ioctl kill link listen lseek lstat mkdir mmap munmap nice open opendir pause pipe poll popen pread
ptrace pwrite read readdir readlink recv rmdir sbrk select send setuid shutdown sleep socket stat symlink sync syscall unlink
usleep wait waitpid write
"""  # of the standard library of C, of POSIX, and those that compilers know without a header
USED_BY_C = frozenset(
    [*KEYWORDS.split(), *FUNCTIONS.split(), *(f"{name}{end}" for name in MATHEMATICS.split() for end in ("", *ENDINGS))]
)


def is_name(word: str) -> bool:
    """Whether a function may have this name in C, in Python and in LaTeX.

    It has at most 63 ASCII letters, digits and underscores, does not begin with a digit or an underscore (C reserves
    the latter, and Python's special names begin with it), and is none that C or Python uses itself.

    Args:
        word: The word.

    Example:
        >>> [is_name(word) for word in ("my_sin2", "range", "printf", "_Bool", "2f")]
        [True, False, False, False, False]
    """
    allowed = re.fullmatch(rf"[A-Za-z][A-Za-z0-9_]{{0,{MAX_CHARACTERS - 1}}}", word)
    used_by_python = keyword.iskeyword(word) or keyword.issoftkeyword(word) or hasattr(builtins, word)
    return bool(allowed) and not used_by_python and word not in USED_BY_C
