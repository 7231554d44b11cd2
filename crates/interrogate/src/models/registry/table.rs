//! The table of known models.
//!
//! Names and repositories are those of open_clip 3.3.0 (`pretrained.py`), sizes those of its
//! `model_configs`. Two differ from open_clip: OpenAI's weights come from OpenAI's own
//! repositories, and `ViT-B-16-plus-240/laion400m_e32` from its own instead of that of `e31`.
//! Licenses are those that the repositories' pages or timm 1.0.31's table of the same weights
//! state. OpenAI's repositories state none.
//!
//! `convnext_base/laion400m_s13b_b51k` is missing: its repository has no configuration.
//!
//! A name with and one without `-quickgelu` share a repository: the repository's configuration
//! has the activation that the weights were trained with.

use super::KnownModel;

/// The sizes that models of one architecture share.
struct Architecture {
    dim: usize,
    image_size: usize,
    parameters: u64,
}

const EVA01_G14: Architecture =
    Architecture { dim: 1024, image_size: 224, parameters: 1_136_435_840 };
const EVA01_G14_PLUS: Architecture =
    Architecture { dim: 1024, image_size: 224, parameters: 1_366_621_568 };
const EVA02_B16: Architecture = Architecture { dim: 512, image_size: 224, parameters: 149_691_136 };
const EVA02_E14: Architecture =
    Architecture { dim: 1024, image_size: 224, parameters: 4_704_589_568 };
const EVA02_E14_PLUS: Architecture =
    Architecture { dim: 1024, image_size: 224, parameters: 5_044_889_088 };
const EVA02_L14: Architecture = Architecture { dim: 768, image_size: 224, parameters: 427_755_456 };
const EVA02_L14_336: Architecture =
    Architecture { dim: 768, image_size: 336, parameters: 428_083_136 };
const B32: Architecture = Architecture { dim: 512, image_size: 224, parameters: 151_277_312 };
const B32_256: Architecture = Architecture { dim: 512, image_size: 256, parameters: 151_288_832 };
const B16: Architecture = Architecture { dim: 512, image_size: 224, parameters: 149_620_736 };
const B16_PLUS_240: Architecture =
    Architecture { dim: 640, image_size: 240, parameters: 208_377_344 };
const L14: Architecture = Architecture { dim: 768, image_size: 224, parameters: 427_616_512 };
const L14_336: Architecture = Architecture { dim: 768, image_size: 336, parameters: 427_944_192 };
const H14: Architecture = Architecture { dim: 1024, image_size: 224, parameters: 986_109_440 };
const H14_378: Architecture = Architecture { dim: 1024, image_size: 378, parameters: 986_714_880 };
const G14: Architecture = Architecture { dim: 1024, image_size: 224, parameters: 1_366_678_272 };
const BIG_G14: Architecture =
    Architecture { dim: 1280, image_size: 224, parameters: 2_539_567_104 };

const RN50: Architecture = Architecture { dim: 1024, image_size: 224, parameters: 102_060_384 };
const RN101: Architecture = Architecture { dim: 512, image_size: 224, parameters: 119_793_504 };
const RN50X4: Architecture = Architecture { dim: 640, image_size: 288, parameters: 178_410_360 };
const RN50X16: Architecture = Architecture { dim: 768, image_size: 384, parameters: 291_173_136 };
const RN50X64: Architecture = Architecture { dim: 1024, image_size: 448, parameters: 623_668_928 };
const CONVNEXT_BASE_W: Architecture =
    Architecture { dim: 640, image_size: 256, parameters: 179_385_344 };
const CONVNEXT_BASE_W_320: Architecture =
    Architecture { dim: 640, image_size: 320, parameters: 179_385_344 };
const CONVNEXT_LARGE_D: Architecture =
    Architecture { dim: 768, image_size: 256, parameters: 351_772_608 };
const CONVNEXT_LARGE_D_320: Architecture =
    Architecture { dim: 768, image_size: 320, parameters: 351_772_608 };
const CONVNEXT_XXLARGE: Architecture =
    Architecture { dim: 1024, image_size: 256, parameters: 1_200_576_384 };
const MOBILE_B: Architecture = Architecture { dim: 512, image_size: 224, parameters: 149_777_920 };
const PE_B16: Architecture = Architecture { dim: 1024, image_size: 224, parameters: 447_660_544 };
const PE_L14_336: Architecture =
    Architecture { dim: 1024, image_size: 336, parameters: 671_138_816 };
const PE_S16_384: Architecture = Architecture { dim: 512, image_size: 384, parameters: 87_188_224 };
const PE_T16_384: Architecture = Architecture { dim: 512, image_size: 384, parameters: 69_546_112 };
const PE_BIG_G14_448: Architecture =
    Architecture { dim: 1280, image_size: 448, parameters: 2_419_267_840 };

const B_16_SIGLIP_256: Architecture =
    Architecture { dim: 768, image_size: 256, parameters: 203_202_048 };
const B_16_SIGLIP_384: Architecture =
    Architecture { dim: 768, image_size: 384, parameters: 203_447_808 };
const B_16_SIGLIP_512: Architecture =
    Architecture { dim: 768, image_size: 512, parameters: 203_791_872 };
const B_16_SIGLIP_I18N_256: Architecture =
    Architecture { dim: 768, image_size: 256, parameters: 370_626_048 };
const B_16_SIGLIP: Architecture =
    Architecture { dim: 768, image_size: 224, parameters: 203_155_968 };
const B_16_SIGLIP2_256: Architecture =
    Architecture { dim: 768, image_size: 256, parameters: 375_234_048 };
const B_16_SIGLIP2_384: Architecture =
    Architecture { dim: 768, image_size: 384, parameters: 375_479_808 };
const B_16_SIGLIP2_512: Architecture =
    Architecture { dim: 768, image_size: 512, parameters: 375_823_872 };
const B_16_SIGLIP2: Architecture =
    Architecture { dim: 768, image_size: 224, parameters: 375_187_968 };
const B_32_SIGLIP2_256: Architecture =
    Architecture { dim: 768, image_size: 256, parameters: 376_856_064 };
const H_14_WORLDWIDE_378: Architecture =
    Architecture { dim: 1024, image_size: 378, parameters: 1_859_389_184 };
const H_14_WORLDWIDE: Architecture =
    Architecture { dim: 1024, image_size: 224, parameters: 1_858_783_744 };
const L_16_SIGLIP_256: Architecture =
    Architecture { dim: 1024, image_size: 256, parameters: 652_150_784 };
const L_16_SIGLIP_384: Architecture =
    Architecture { dim: 1024, image_size: 384, parameters: 652_478_464 };
const L_16_SIGLIP2_256: Architecture =
    Architecture { dim: 1024, image_size: 256, parameters: 881_526_784 };
const L_16_SIGLIP2_384: Architecture =
    Architecture { dim: 1024, image_size: 384, parameters: 881_854_464 };
const L_16_SIGLIP2_512: Architecture =
    Architecture { dim: 1024, image_size: 512, parameters: 882_313_216 };
const SO400M_14_SIGLIP_384: Architecture =
    Architecture { dim: 1152, image_size: 384, parameters: 877_960_496 };
const SO400M_14_SIGLIP: Architecture =
    Architecture { dim: 1152, image_size: 224, parameters: 877_360_304 };
const SO400M_14_SIGLIP2_378: Architecture =
    Architecture { dim: 1152, image_size: 378, parameters: 1_136_008_496 };
const SO400M_14_SIGLIP2: Architecture =
    Architecture { dim: 1152, image_size: 224, parameters: 1_135_463_600 };
const SO400M_16_SIGLIP_I18N_256: Architecture =
    Architecture { dim: 1152, image_size: 256, parameters: 1_127_430_704 };
const SO400M_16_SIGLIP2_256: Architecture =
    Architecture { dim: 1152, image_size: 256, parameters: 1_135_670_960 };
const SO400M_16_SIGLIP2_384: Architecture =
    Architecture { dim: 1152, image_size: 384, parameters: 1_136_039_600 };
const SO400M_16_SIGLIP2_512: Architecture =
    Architecture { dim: 1152, image_size: 512, parameters: 1_136_555_696 };
const BIGG_14_WORLDWIDE_378: Architecture =
    Architecture { dim: 1280, image_size: 378, parameters: 3_631_197_056 };
const BIGG_14_WORLDWIDE: Architecture =
    Architecture { dim: 1280, image_size: 224, parameters: 3_630_409_984 };
const GOPT_16_SIGLIP2_256: Architecture =
    Architecture { dim: 1536, image_size: 256, parameters: 1_871_393_904 };
const GOPT_16_SIGLIP2_384: Architecture =
    Architecture { dim: 1536, image_size: 384, parameters: 1_871_885_424 };

const MIT: Option<&str> = Some("mit");
const AMLR: Option<&str> = Some("apple-amlr");
const APACHE: Option<&str> = Some("apache-2.0");
const CC_BY_NC: Option<&str> = Some("cc-by-nc-4.0");
const APPLE: Option<&str> = Some("apple-sample-code-license");

const fn row(
    name: &'static str,
    repo: &'static str,
    license: Option<&'static str>,
    sizes: &Architecture,
) -> KnownModel {
    let Architecture { dim, image_size, parameters } = *sizes;
    KnownModel { name, repo, license, dim, image_size, parameters }
}

/// Sorted by name.
#[rustfmt::skip]
pub(super) static TABLE: [KnownModel; 152] = [
    row("EVA01-g-14-plus/merged2b_s11b_b114k", "timm/eva_giant_patch14_plus_clip_224.merged2b_s11b_b114k", MIT, &EVA01_G14_PLUS),
    row("EVA01-g-14/laion400m_s11b_b41k", "timm/eva_giant_patch14_clip_224.laion400m_s11b_b41k", MIT, &EVA01_G14),
    row("EVA02-B-16/merged2b_s8b_b131k", "timm/eva02_base_patch16_clip_224.merged2b_s8b_b131k", MIT, &EVA02_B16),
    row("EVA02-E-14-plus/laion2b_s9b_b144k", "timm/eva02_enormous_patch14_plus_clip_224.laion2b_s9b_b144k", MIT, &EVA02_E14_PLUS),
    row("EVA02-E-14/laion2b_s4b_b115k", "timm/eva02_enormous_patch14_clip_224.laion2b_s4b_b115k", MIT, &EVA02_E14),
    row("EVA02-L-14-336/merged2b_s6b_b61k", "timm/eva02_large_patch14_clip_336.merged2b_s6b_b61k", MIT, &EVA02_L14_336),
    row("EVA02-L-14/merged2b_s4b_b131k", "timm/eva02_large_patch14_clip_224.merged2b_s4b_b131k", MIT, &EVA02_L14),
    row("MobileCLIP-B/datacompdr", "apple/MobileCLIP-B-OpenCLIP", AMLR, &MOBILE_B),
    row("MobileCLIP-B/datacompdr_lt", "apple/MobileCLIP-B-LT-OpenCLIP", AMLR, &MOBILE_B),
    row("MobileCLIP2-B/dfndr2b", "timm/MobileCLIP2-B-OpenCLIP", AMLR, &MOBILE_B),
    row("PE-Core-B-16/meta", "timm/PE-Core-B-16", APACHE, &PE_B16),
    row("PE-Core-L-14-336/meta", "timm/PE-Core-L-14-336", APACHE, &PE_L14_336),
    row("PE-Core-S-16-384/meta", "timm/PE-Core-S-16-384", APACHE, &PE_S16_384),
    row("PE-Core-T-16-384/meta", "timm/PE-Core-T-16-384", APACHE, &PE_T16_384),
    row("PE-Core-bigG-14-448/meta", "timm/PE-Core-bigG-14-448", APACHE, &PE_BIG_G14_448),
    row("RN101-quickgelu/openai", "timm/resnet101_clip.openai", MIT, &RN101),
    row("RN101-quickgelu/yfcc15m", "timm/resnet101_clip.yfcc15m", MIT, &RN101),
    row("RN101/openai", "timm/resnet101_clip.openai", MIT, &RN101),
    row("RN101/yfcc15m", "timm/resnet101_clip.yfcc15m", MIT, &RN101),
    row("RN50-quickgelu/cc12m", "timm/resnet50_clip.cc12m", MIT, &RN50),
    row("RN50-quickgelu/openai", "timm/resnet50_clip.openai", MIT, &RN50),
    row("RN50-quickgelu/yfcc15m", "timm/resnet50_clip.yfcc15m", MIT, &RN50),
    row("RN50/cc12m", "timm/resnet50_clip.cc12m", MIT, &RN50),
    row("RN50/openai", "timm/resnet50_clip.openai", MIT, &RN50),
    row("RN50/yfcc15m", "timm/resnet50_clip.yfcc15m", MIT, &RN50),
    row("RN50x16-quickgelu/openai", "timm/resnet50x16_clip.openai", MIT, &RN50X16),
    row("RN50x16/openai", "timm/resnet50x16_clip.openai", MIT, &RN50X16),
    row("RN50x4-quickgelu/openai", "timm/resnet50x4_clip.openai", MIT, &RN50X4),
    row("RN50x4/openai", "timm/resnet50x4_clip.openai", MIT, &RN50X4),
    row("RN50x64-quickgelu/openai", "timm/resnet50x64_clip.openai", MIT, &RN50X64),
    row("RN50x64/openai", "timm/resnet50x64_clip.openai", MIT, &RN50X64),
    row("ViT-B-16-SigLIP-256/webli", "timm/ViT-B-16-SigLIP-256", APACHE, &B_16_SIGLIP_256),
    row("ViT-B-16-SigLIP-384/webli", "timm/ViT-B-16-SigLIP-384", APACHE, &B_16_SIGLIP_384),
    row("ViT-B-16-SigLIP-512/webli", "timm/ViT-B-16-SigLIP-512", APACHE, &B_16_SIGLIP_512),
    row("ViT-B-16-SigLIP-i18n-256/webli", "timm/ViT-B-16-SigLIP-i18n-256", APACHE, &B_16_SIGLIP_I18N_256),
    row("ViT-B-16-SigLIP/webli", "timm/ViT-B-16-SigLIP", APACHE, &B_16_SIGLIP),
    row("ViT-B-16-SigLIP2-256/webli", "timm/ViT-B-16-SigLIP2-256", APACHE, &B_16_SIGLIP2_256),
    row("ViT-B-16-SigLIP2-384/webli", "timm/ViT-B-16-SigLIP2-384", APACHE, &B_16_SIGLIP2_384),
    row("ViT-B-16-SigLIP2-512/webli", "timm/ViT-B-16-SigLIP2-512", APACHE, &B_16_SIGLIP2_512),
    row("ViT-B-16-SigLIP2/webli", "timm/ViT-B-16-SigLIP2", APACHE, &B_16_SIGLIP2),
    row("ViT-B-16-plus-240/laion400m_e31", "timm/vit_base_patch16_plus_clip_240.laion400m_e31", None, &B16_PLUS_240),
    row("ViT-B-16-plus-240/laion400m_e32", "timm/vit_base_patch16_plus_clip_240.laion400m_e32", MIT, &B16_PLUS_240),
    row("ViT-B-16-quickgelu/dfn2b", "apple/DFN2B-CLIP-ViT-B-16", APPLE, &B16),
    row("ViT-B-16-quickgelu/metaclip_400m", "timm/vit_base_patch16_clip_224.metaclip_400m", CC_BY_NC, &B16),
    row("ViT-B-16-quickgelu/metaclip_fullcc", "timm/vit_base_patch16_clip_224.metaclip_2pt5b", CC_BY_NC, &B16),
    row("ViT-B-16-quickgelu/openai", "openai/clip-vit-base-patch16", None, &B16),
    row("ViT-B-16/commonpool_l_basic_s1b_b8k", "laion/CLIP-ViT-B-16-CommonPool.L.basic-s1B-b8K", None, &B16),
    row("ViT-B-16/commonpool_l_clip_s1b_b8k", "laion/CLIP-ViT-B-16-CommonPool.L.clip-s1B-b8K", MIT, &B16),
    row("ViT-B-16/commonpool_l_image_s1b_b8k", "laion/CLIP-ViT-B-16-CommonPool.L.image-s1B-b8K", None, &B16),
    row("ViT-B-16/commonpool_l_laion_s1b_b8k", "laion/CLIP-ViT-B-16-CommonPool.L.laion-s1B-b8K", MIT, &B16),
    row("ViT-B-16/commonpool_l_s1b_b8k", "laion/CLIP-ViT-B-16-CommonPool.L-s1B-b8K", MIT, &B16),
    row("ViT-B-16/commonpool_l_text_s1b_b8k", "laion/CLIP-ViT-B-16-CommonPool.L.text-s1B-b8K", MIT, &B16),
    row("ViT-B-16/datacomp_l_s1b_b8k", "laion/CLIP-ViT-B-16-DataComp.L-s1B-b8K", None, &B16),
    row("ViT-B-16/datacomp_xl_s13b_b90k", "laion/CLIP-ViT-B-16-DataComp.XL-s13B-b90K", MIT, &B16),
    row("ViT-B-16/dfn2b", "apple/DFN2B-CLIP-ViT-B-16", APPLE, &B16),
    row("ViT-B-16/laion2b_s34b_b88k", "laion/CLIP-ViT-B-16-laion2B-s34B-b88K", MIT, &B16),
    row("ViT-B-16/laion400m_e31", "timm/vit_base_patch16_clip_224.laion400m_e31", None, &B16),
    row("ViT-B-16/laion400m_e32", "timm/vit_base_patch16_clip_224.laion400m_e32", MIT, &B16),
    row("ViT-B-16/metaclip_400m", "timm/vit_base_patch16_clip_224.metaclip_400m", CC_BY_NC, &B16),
    row("ViT-B-16/metaclip_fullcc", "timm/vit_base_patch16_clip_224.metaclip_2pt5b", CC_BY_NC, &B16),
    row("ViT-B-16/openai", "openai/clip-vit-base-patch16", None, &B16),
    row("ViT-B-32-256/datacomp_s34b_b86k", "laion/CLIP-ViT-B-32-256x256-DataComp-s34B-b86K", MIT, &B32_256),
    row("ViT-B-32-SigLIP2-256/webli", "timm/ViT-B-32-SigLIP2-256", APACHE, &B_32_SIGLIP2_256),
    row("ViT-B-32-quickgelu/laion400m_e31", "timm/vit_base_patch32_clip_224.laion400m_e31", MIT, &B32),
    row("ViT-B-32-quickgelu/laion400m_e32", "timm/vit_base_patch32_clip_224.laion400m_e32", MIT, &B32),
    row("ViT-B-32-quickgelu/metaclip_400m", "timm/vit_base_patch32_clip_224.metaclip_400m", CC_BY_NC, &B32),
    row("ViT-B-32-quickgelu/metaclip_fullcc", "timm/vit_base_patch32_clip_224.metaclip_2pt5b", CC_BY_NC, &B32),
    row("ViT-B-32-quickgelu/openai", "openai/clip-vit-base-patch32", None, &B32),
    row("ViT-B-32/commonpool_m_basic_s128m_b4k", "laion/CLIP-ViT-B-32-CommonPool.M.basic-s128M-b4K", None, &B32),
    row("ViT-B-32/commonpool_m_clip_s128m_b4k", "laion/CLIP-ViT-B-32-CommonPool.M.clip-s128M-b4K", None, &B32),
    row("ViT-B-32/commonpool_m_image_s128m_b4k", "laion/CLIP-ViT-B-32-CommonPool.M.image-s128M-b4K", None, &B32),
    row("ViT-B-32/commonpool_m_laion_s128m_b4k", "laion/CLIP-ViT-B-32-CommonPool.M.laion-s128M-b4K", None, &B32),
    row("ViT-B-32/commonpool_m_s128m_b4k", "laion/CLIP-ViT-B-32-CommonPool.M-s128M-b4K", MIT, &B32),
    row("ViT-B-32/commonpool_m_text_s128m_b4k", "laion/CLIP-ViT-B-32-CommonPool.M.text-s128M-b4K", MIT, &B32),
    row("ViT-B-32/commonpool_s_basic_s13m_b4k", "laion/CLIP-ViT-B-32-CommonPool.S.basic-s13M-b4K", MIT, &B32),
    row("ViT-B-32/commonpool_s_clip_s13m_b4k", "laion/CLIP-ViT-B-32-CommonPool.S.clip-s13M-b4K", None, &B32),
    row("ViT-B-32/commonpool_s_image_s13m_b4k", "laion/CLIP-ViT-B-32-CommonPool.S.image-s13M-b4K", MIT, &B32),
    row("ViT-B-32/commonpool_s_laion_s13m_b4k", "laion/CLIP-ViT-B-32-CommonPool.S.laion-s13M-b4K", MIT, &B32),
    row("ViT-B-32/commonpool_s_s13m_b4k", "laion/CLIP-ViT-B-32-CommonPool.S-s13M-b4K", None, &B32),
    row("ViT-B-32/commonpool_s_text_s13m_b4k", "laion/CLIP-ViT-B-32-CommonPool.S.text-s13M-b4K", MIT, &B32),
    row("ViT-B-32/datacomp_m_s128m_b4k", "laion/CLIP-ViT-B-32-DataComp.M-s128M-b4K", MIT, &B32),
    row("ViT-B-32/datacomp_s_s13m_b4k", "laion/CLIP-ViT-B-32-DataComp.S-s13M-b4K", MIT, &B32),
    row("ViT-B-32/datacomp_xl_s13b_b90k", "laion/CLIP-ViT-B-32-DataComp.XL-s13B-b90K", MIT, &B32),
    row("ViT-B-32/laion2b_e16", "timm/vit_base_patch32_clip_224.laion2b_e16", None, &B32),
    row("ViT-B-32/laion2b_s34b_b79k", "laion/CLIP-ViT-B-32-laion2B-s34B-b79K", MIT, &B32),
    row("ViT-B-32/laion400m_e31", "timm/vit_base_patch32_clip_224.laion400m_e31", MIT, &B32),
    row("ViT-B-32/laion400m_e32", "timm/vit_base_patch32_clip_224.laion400m_e32", MIT, &B32),
    row("ViT-B-32/metaclip_400m", "timm/vit_base_patch32_clip_224.metaclip_400m", CC_BY_NC, &B32),
    row("ViT-B-32/metaclip_fullcc", "timm/vit_base_patch32_clip_224.metaclip_2pt5b", CC_BY_NC, &B32),
    row("ViT-B-32/openai", "openai/clip-vit-base-patch32", None, &B32),
    row("ViT-H-14-378-quickgelu/dfn5b", "apple/DFN5B-CLIP-ViT-H-14-378", APPLE, &H14_378),
    row("ViT-H-14-378/dfn5b", "apple/DFN5B-CLIP-ViT-H-14-378", APPLE, &H14_378),
    row("ViT-H-14-quickgelu/dfn5b", "apple/DFN5B-CLIP-ViT-H-14", APPLE, &H14),
    row("ViT-H-14-quickgelu/metaclip_fullcc", "timm/vit_huge_patch14_clip_224.metaclip_2pt5b", CC_BY_NC, &H14),
    row("ViT-H-14-worldwide-378/metaclip2_worldwide", "timm/vit_huge_patch14_clip_378.metaclip2_worldwide", CC_BY_NC, &H_14_WORLDWIDE_378),
    row("ViT-H-14-worldwide-quickgelu/metaclip2_worldwide", "timm/vit_huge_patch14_clip_224.metaclip2_worldwide", CC_BY_NC, &H_14_WORLDWIDE),
    row("ViT-H-14-worldwide/metaclip2_worldwide", "timm/vit_huge_patch14_clip_224.metaclip2_worldwide", CC_BY_NC, &H_14_WORLDWIDE),
    row("ViT-H-14/dfn5b", "apple/DFN5B-CLIP-ViT-H-14", APPLE, &H14),
    row("ViT-H-14/laion2b_s32b_b79k", "laion/CLIP-ViT-H-14-laion2B-s32B-b79K", MIT, &H14),
    row("ViT-H-14/metaclip_altogether", "timm/vit_huge_patch14_clip_224.metaclip_altogether", CC_BY_NC, &H14),
    row("ViT-H-14/metaclip_fullcc", "timm/vit_huge_patch14_clip_224.metaclip_2pt5b", CC_BY_NC, &H14),
    row("ViT-L-14-336-quickgelu/openai", "openai/clip-vit-large-patch14-336", None, &L14_336),
    row("ViT-L-14-336/openai", "openai/clip-vit-large-patch14-336", None, &L14_336),
    row("ViT-L-14-quickgelu/dfn2b", "apple/DFN2B-CLIP-ViT-L-14", APPLE, &L14),
    row("ViT-L-14-quickgelu/metaclip_400m", "timm/vit_large_patch14_clip_224.metaclip_400m", CC_BY_NC, &L14),
    row("ViT-L-14-quickgelu/metaclip_fullcc", "timm/vit_large_patch14_clip_224.metaclip_2pt5b", CC_BY_NC, &L14),
    row("ViT-L-14-quickgelu/openai", "openai/clip-vit-large-patch14", None, &L14),
    row("ViT-L-14/commonpool_xl_clip_s13b_b90k", "laion/CLIP-ViT-L-14-CommonPool.XL.clip-s13B-b90K", None, &L14),
    row("ViT-L-14/commonpool_xl_laion_s13b_b90k", "laion/CLIP-ViT-L-14-CommonPool.XL.laion-s13B-b90K", MIT, &L14),
    row("ViT-L-14/commonpool_xl_s13b_b90k", "laion/CLIP-ViT-L-14-CommonPool.XL-s13B-b90K", MIT, &L14),
    row("ViT-L-14/datacomp_xl_s13b_b90k", "laion/CLIP-ViT-L-14-DataComp.XL-s13B-b90K", MIT, &L14),
    row("ViT-L-14/dfn2b", "apple/DFN2B-CLIP-ViT-L-14", APPLE, &L14),
    row("ViT-L-14/dfn2b_s39b", "apple/DFN2B-CLIP-ViT-L-14-39B", APPLE, &L14),
    row("ViT-L-14/laion2b_s32b_b82k", "laion/CLIP-ViT-L-14-laion2B-s32B-b82K", MIT, &L14),
    row("ViT-L-14/laion400m_e31", "timm/vit_large_patch14_clip_224.laion400m_e31", None, &L14),
    row("ViT-L-14/laion400m_e32", "timm/vit_large_patch14_clip_224.laion400m_e32", MIT, &L14),
    row("ViT-L-14/metaclip_400m", "timm/vit_large_patch14_clip_224.metaclip_400m", CC_BY_NC, &L14),
    row("ViT-L-14/metaclip_fullcc", "timm/vit_large_patch14_clip_224.metaclip_2pt5b", CC_BY_NC, &L14),
    row("ViT-L-14/openai", "openai/clip-vit-large-patch14", None, &L14),
    row("ViT-L-16-SigLIP-256/webli", "timm/ViT-L-16-SigLIP-256", APACHE, &L_16_SIGLIP_256),
    row("ViT-L-16-SigLIP-384/webli", "timm/ViT-L-16-SigLIP-384", APACHE, &L_16_SIGLIP_384),
    row("ViT-L-16-SigLIP2-256/webli", "timm/ViT-L-16-SigLIP2-256", APACHE, &L_16_SIGLIP2_256),
    row("ViT-L-16-SigLIP2-384/webli", "timm/ViT-L-16-SigLIP2-384", APACHE, &L_16_SIGLIP2_384),
    row("ViT-L-16-SigLIP2-512/webli", "timm/ViT-L-16-SigLIP2-512", APACHE, &L_16_SIGLIP2_512),
    row("ViT-SO400M-14-SigLIP-384/webli", "timm/ViT-SO400M-14-SigLIP-384", APACHE, &SO400M_14_SIGLIP_384),
    row("ViT-SO400M-14-SigLIP/webli", "timm/ViT-SO400M-14-SigLIP", APACHE, &SO400M_14_SIGLIP),
    row("ViT-SO400M-14-SigLIP2-378/webli", "timm/ViT-SO400M-14-SigLIP2-378", APACHE, &SO400M_14_SIGLIP2_378),
    row("ViT-SO400M-14-SigLIP2/webli", "timm/ViT-SO400M-14-SigLIP2", APACHE, &SO400M_14_SIGLIP2),
    row("ViT-SO400M-16-SigLIP-i18n-256/webli", "timm/ViT-SO400M-16-SigLIP-i18n-256", APACHE, &SO400M_16_SIGLIP_I18N_256),
    row("ViT-SO400M-16-SigLIP2-256/webli", "timm/ViT-SO400M-16-SigLIP2-256", APACHE, &SO400M_16_SIGLIP2_256),
    row("ViT-SO400M-16-SigLIP2-384/webli", "timm/ViT-SO400M-16-SigLIP2-384", APACHE, &SO400M_16_SIGLIP2_384),
    row("ViT-SO400M-16-SigLIP2-512/webli", "timm/ViT-SO400M-16-SigLIP2-512", APACHE, &SO400M_16_SIGLIP2_512),
    row("ViT-bigG-14-quickgelu/metaclip_fullcc", "timm/vit_gigantic_patch14_clip_224.metaclip_2pt5b", CC_BY_NC, &BIG_G14),
    row("ViT-bigG-14-worldwide-378/metaclip2_worldwide", "timm/vit_gigantic_patch14_clip_378.metaclip2_worldwide", CC_BY_NC, &BIGG_14_WORLDWIDE_378),
    row("ViT-bigG-14-worldwide/metaclip2_worldwide", "timm/vit_gigantic_patch14_clip_224.metaclip2_worldwide", CC_BY_NC, &BIGG_14_WORLDWIDE),
    row("ViT-bigG-14/laion2b_s39b_b160k", "laion/CLIP-ViT-bigG-14-laion2B-39B-b160k", MIT, &BIG_G14),
    row("ViT-bigG-14/metaclip_fullcc", "timm/vit_gigantic_patch14_clip_224.metaclip_2pt5b", CC_BY_NC, &BIG_G14),
    row("ViT-g-14/laion2b_s12b_b42k", "laion/CLIP-ViT-g-14-laion2B-s12B-b42K", MIT, &G14),
    row("ViT-g-14/laion2b_s34b_b88k", "laion/CLIP-ViT-g-14-laion2B-s34B-b88K", None, &G14),
    row("ViT-gopt-16-SigLIP2-256/webli", "timm/ViT-gopt-16-SigLIP2-256", APACHE, &GOPT_16_SIGLIP2_256),
    row("ViT-gopt-16-SigLIP2-384/webli", "timm/ViT-gopt-16-SigLIP2-384", APACHE, &GOPT_16_SIGLIP2_384),
    row("convnext_base_w/laion2b_s13b_b82k", "laion/CLIP-convnext_base_w-laion2B-s13B-b82K", MIT, &CONVNEXT_BASE_W),
    row("convnext_base_w/laion2b_s13b_b82k_augreg", "laion/CLIP-convnext_base_w-laion2B-s13B-b82K-augreg", None, &CONVNEXT_BASE_W),
    row("convnext_base_w/laion_aesthetic_s13b_b82k", "laion/CLIP-convnext_base_w-laion_aesthetic-s13B-b82K", None, &CONVNEXT_BASE_W),
    row("convnext_base_w_320/laion_aesthetic_s13b_b82k", "laion/CLIP-convnext_base_w_320-laion_aesthetic-s13B-b82K", None, &CONVNEXT_BASE_W_320),
    row("convnext_base_w_320/laion_aesthetic_s13b_b82k_augreg", "laion/CLIP-convnext_base_w_320-laion_aesthetic-s13B-b82K-augreg", MIT, &CONVNEXT_BASE_W_320),
    row("convnext_large_d/laion2b_s26b_b102k_augreg", "laion/CLIP-convnext_large_d.laion2B-s26B-b102K-augreg", MIT, &CONVNEXT_LARGE_D),
    row("convnext_large_d_320/laion2b_s29b_b131k_ft", "laion/CLIP-convnext_large_d_320.laion2B-s29B-b131K-ft", None, &CONVNEXT_LARGE_D_320),
    row("convnext_large_d_320/laion2b_s29b_b131k_ft_soup", "laion/CLIP-convnext_large_d_320.laion2B-s29B-b131K-ft-soup", MIT, &CONVNEXT_LARGE_D_320),
    row("convnext_xxlarge/laion2b_s34b_b82k_augreg", "laion/CLIP-convnext_xxlarge-laion2B-s34B-b82K-augreg", MIT, &CONVNEXT_XXLARGE),
    row("convnext_xxlarge/laion2b_s34b_b82k_augreg_rewind", "laion/CLIP-convnext_xxlarge-laion2B-s34B-b82K-augreg-rewind", MIT, &CONVNEXT_XXLARGE),
    row("convnext_xxlarge/laion2b_s34b_b82k_augreg_soup", "laion/CLIP-convnext_xxlarge-laion2B-s34B-b82K-augreg-soup", MIT, &CONVNEXT_XXLARGE),
];
