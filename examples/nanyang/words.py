"""The words names are made of, with their pinyin and their traditional form."""

from __future__ import annotations


def _pairs(text: str) -> dict[str, str]:
    """A character and its pinyin from each ``字:zi``."""
    return {sign: latin for sign, _, latin in (pair.partition(":") for pair in text.split())}


SURNAMES = _pairs(
    "王:Wang 李:Li 张:Zhang 刘:Liu 陈:Chen 杨:Yang 黄:Huang 赵:Zhao 吴:Wu 周:Zhou 徐:Xu "
    "孙:Sun 马:Ma 朱:Zhu 胡:Hu 郭:Guo 何:He 林:Lin 高:Gao 罗:Luo 郑:Zheng 梁:Liang 谢:Xie "
    "宋:Song 唐:Tang 许:Xu 韩:Han 冯:Feng 邓:Deng 曹:Cao 彭:Peng 曾:Zeng 萧:Xiao 田:Tian "
    "董:Dong 潘:Pan 袁:Yuan 蔡:Cai 蒋:Jiang 欧阳:Ouyang "
)
GIVEN = _pairs(
    "伟:wei 丽:li 强:qiang 军:jun 洁:jie 艳:yan 勇:yong 涛:tao 敏:min 杰:jie 娟:juan "
    "芳:fang 静:jing 磊:lei 洋:yang 超:chao 霞:xia 刚:gang 玲:ling 飞:fei 红:hong 建:jian "
    "国:guo 晓:xiao 雨:yu 欣:xin 思:si 远:yuan 嘉:jia 轩:xuan 梦:meng 琪:qi 俊:jun 文:wen "
    "慧:hui 志:zhi 明:ming 海:hai 燕:yan 春:chun 梅:mei 浩:hao 宇:yu 晨:chen 婷:ting "
)
BRANDS = _pairs(
    "华:hua 瑞:rui 海:hai 通:tong 达:da 恒:heng 兴:xing 隆:long 金:jin 源:yuan 宏:hong "
    "泰:tai 盛:sheng 德:de 信:xin 诚:cheng 远:yuan 东:dong 新:xin 联:lian 合:he 润:run "
    "丰:feng 嘉:jia 禾:he 鑫:xin 龙:long 腾:teng 天:tian 宇:yu 星:xing 辰:chen 博:bo "
    "雅:ya 凯:kai 旭:xu 明:ming 康:kang 安:an 锦:jin "
)
TRADES = (
    ("贸易", "Trading"),
    ("进出口", "Import & Export"),
    ("电子科技", "Electronics Technology"),
    ("机械设备", "Machinery"),
    ("纺织品", "Textiles"),
    ("五金制品", "Hardware"),
    ("化工", "Chemicals"),
    ("食品", "Foods"),
    ("家具", "Furniture"),
    ("塑料制品", "Plastics"),
    ("医疗器械", "Medical Devices"),
    ("包装材料", "Packaging"),
)
CITIES = (
    # city, Latin, province, area code, first digits of postcodes, code of the division
    ("深圳", "Shenzhen", "广东", "0755", "518", "440300"),
    ("广州", "Guangzhou", "广东", "020", "510", "440100"),
    ("东莞", "Dongguan", "广东", "0769", "523", "441900"),
    ("佛山", "Foshan", "广东", "0757", "528", "440600"),
    ("上海", "Shanghai", "上海", "021", "200", "310100"),
    ("宁波", "Ningbo", "浙江", "0574", "315", "330200"),
    ("义乌", "Yiwu", "浙江", "0579", "322", "330782"),
    ("苏州", "Suzhou", "江苏", "0512", "215", "320500"),
    ("青岛", "Qingdao", "山东", "0532", "266", "370200"),
    ("厦门", "Xiamen", "福建", "0592", "361", "350200"),
    ("北京", "Beijing", "北京", "010", "100", "110100"),
    ("成都", "Chengdu", "四川", "028", "610", "510100"),
)
STREETS = (
    ("人民路", "Renmin Road"),
    ("中山北路", "Zhongshan North Road"),
    ("解放大道", "Jiefang Avenue"),
    ("科技园南路", "Keji Park South Road"),
    ("工业三路", "Gongye 3rd Road"),
    ("滨海大道", "Binhai Avenue"),
    ("建设路", "Jianshe Road"),
    ("长江路", "Changjiang Road"),
    ("港口一路", "Gangkou 1st Road"),
)
ABROAD = (
    # country, city, dialling code, legal form, first digits and length of phone numbers
    ("SG", "Singapore", "65", "Pte. Ltd.", "6", 8),
    ("MY", "Penang", "60", "Sdn. Bhd.", "42", 8),
    ("DE", "Hamburg", "49", "GmbH", "403", 9),
    ("US", "Oakland", "1", "Inc.", "510555", 10),
    ("GB", "Leeds", "44", "Ltd", "1134960", 10),
)
WESTERN_BRANDS = (
    "Kestrel",
    "Alder",
    "Northgate",
    "Marlow",
    "Fjord",
    "Tamarind",
    "Bluewater",
    "Corvus",
    "Hartwell",
    "Sable",
)
WESTERN_TRADES = ("Tools", "Imports", "Home", "Lighting", "Textiles", "Components", "Supply")
WESTERN_GIVEN = ("Anna", "Daniel", "Priya", "Marcus", "Sofia", "James", "Mei Ling", "Thomas", "Laura", "Ahmad", "Julia")
WESTERN_FAMILY = (
    "Keller",
    "Tan",
    "Hughes",
    "Rahman",
    "Fischer",
    "Novak",
    "Lim",
    "Carter",
    "Brandt",
    "Okafor",
    "Moreau",
)
NICKNAMES = ("阳光", "海阔天空", "小鱼", "老广", "平安是福", "静待花开", "老板娘", "外贸人")
OWNERS = ("陈志强", "林晓燕", "黄俊杰", "Grace Lim")
TITLES = ("采购经理", "总经理", "财务", "业务员", "Purchasing Manager", "Owner")

TRADITIONAL = str.maketrans(
    _pairs(
        "张:張 刘:劉 陈:陳 杨:楊 黄:黃 赵:趙 吴:吳 孙:孫 马:馬 罗:羅 郑:鄭 谢:謝 许:許 韩:韓 "
        "冯:馮 邓:鄧 萧:蕭 欧:歐 阳:陽 蒋:蔣 伟:偉 丽:麗 强:強 军:軍 洁:潔 艳:豔 涛:濤 杰:傑 "
        "静:靜 刚:剛 飞:飛 红:紅 国:國 晓:曉 远:遠 轩:軒 梦:夢 华:華 达:達 恒:恆 兴:興 诚:誠 "
        "东:東 联:聯 润:潤 丰:豐 龙:龍 腾:騰 锦:錦 贸:貿 进:進 际:際 电:電 机:機 纺:紡 织:織 "
        "药:藥 医:醫 疗:療 备:備 设:設 装:裝 广:廣 宁:寧 义:義 苏:蘇 岛:島 厦:廈 门:門 经:經 "
        "业:業 术:術 贵:貴 财:財 务:務 "
    )
)
